import { ROLES } from "./caller.ts";
import type { Caller, Role } from "./caller.ts";

/** What a role may do. Secret callers may do everything, nobody else what no role is named for. */
const ALLOWED = {
  read_conversations: ROLES,
  read_settings: ["owner", "admin", "operator", "viewer"],
  use_messages: ["owner", "admin", "operator"],
  use_wallet: ["owner", "admin", "finance"],
  change_settings: ["owner", "admin"],
  change_members: ["owner"],
  run_platform: [],
} as const satisfies Record<string, readonly Role[]>;

export type Action = keyof typeof ALLOWED;

/** Says whether the caller's role names the action. */
export function mayDo(caller: Caller, action: Action): boolean {
  const roles: readonly Role[] = ALLOWED[action];
  return caller.kind === "secret" || roles.includes(caller.role);
}

/** Who may do it, in words. */
export function whoMay(action: Action): string {
  const callers = [...ALLOWED[action], "the project's secret key"];
  return new Intl.ListFormat("en", { type: "disjunction" }).format(callers);
}

/** Which roles each role may give: nobody gives away more than they have. */
const GRANTS: Record<Role, readonly Role[]> = {
  owner: ROLES,
  admin: ["admin", "finance", "operator", "viewer"],
  finance: [],
  operator: [],
  viewer: [],
};

/** Says whether the caller may give the role to a person or a key. */
export function mayGrant(caller: Caller, role: Role): boolean {
  return caller.kind === "secret" || GRANTS[caller.role].includes(role);
}
