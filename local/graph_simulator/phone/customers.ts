import { z } from "zod";
import { userIdOf } from "../ids.ts";
import { RecentMap } from "../recent_map.ts";

/** What `PUT /_control/customers/{phone}` and the phone page may set. */
export const customerSchema = z.strictObject({
  name: z.string().max(100),
  username: z.string().nullable(),
  /** A username user: phone, `from`, `wa_id` and `recipient_id` are absent in webhooks. */
  hides_phone: z.boolean(),
  receipts: z.enum(["auto", "when_opened", "off"]),
  /** An offline phone receives nothing until it is online again. */
  online: z.boolean(),
  on_whatsapp: z.boolean(),
  stopped_marketing: z.boolean(),
}).partial();
export type CustomerPatch = z.output<typeof customerSchema>;

/** The person at the other end, and how that person's phone is set. */
export interface Customer {
  readonly waId: string;
  name: string;
  username: string | null;
  hidesPhone: boolean;
  receipts: "auto" | "when_opened" | "off";
  online: boolean;
  onWhatsapp: boolean;
  stoppedMarketing: boolean;
}

/** The customers that the simulator has met; everybody else is an ordinary one. */
export interface Customers {
  /** Remembers nothing, so that a benchmark's million recipients cost no memory. */
  look(waId: string): Readonly<Customer>;
  put(waId: string, patch: CustomerPatch): Customer;
  /** The business-scoped user id; giving it out is what makes it possible to write to. */
  userId(portfolioId: string, waId: string): string;
  findByUserId(userId: string): string | undefined;
  clear(): void;
}

const REMEMBERED_CUSTOMERS = 10_000;

export function createCustomers(): Customers {
  const known = new RecentMap<string, Customer>(REMEMBERED_CUSTOMERS);
  const waIdOf = new RecentMap<string, string>(REMEMBERED_CUSTOMERS);

  return {
    look: (waId) => known.get(waId) ?? ordinaryCustomer(waId),
    put(waId, patch) {
      const customer = known.get(waId) ?? ordinaryCustomer(waId);
      applyPatch(customer, patch);
      known.set(waId, customer);
      return customer;
    },
    userId(portfolioId, waId) {
      const userId = userIdOf(portfolioId, waId);
      waIdOf.set(userId, waId);
      return userId;
    },
    findByUserId: (userId) => waIdOf.get(userId),
    clear() {
      known.clear();
      waIdOf.clear();
    },
  };
}

function ordinaryCustomer(waId: string): Customer {
  return {
    waId,
    name: `Customer ${waId.slice(-4)}`,
    username: null,
    hidesPhone: false,
    receipts: "auto",
    online: true,
    onWhatsapp: true,
    stoppedMarketing: false,
  };
}

function applyPatch(customer: Customer, patch: CustomerPatch): void {
  customer.name = patch.name ?? customer.name;
  if (patch.username !== undefined) customer.username = patch.username;
  customer.hidesPhone = patch.hides_phone ?? customer.hidesPhone;
  customer.receipts = patch.receipts ?? customer.receipts;
  customer.online = patch.online ?? customer.online;
  customer.onWhatsapp = patch.on_whatsapp ?? customer.onWhatsapp;
  customer.stoppedMarketing = patch.stopped_marketing ?? customer.stoppedMarketing;
}
