import { menuV1 } from "./menu_machine.ts";
import { registerMachines } from "./registry.ts";

/** All that tenants can choose; docs/conversations.md says how another one gets here. */
export const machines = registerMachines([menuV1]);
