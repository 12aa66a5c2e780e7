import { strict as assert } from "node:assert";
import { ROLES } from "./caller.ts";
import type { Caller, Role } from "./caller.ts";
import { mayDo, mayGrant } from "./roles.ts";
import type { Action } from "./roles.ts";

function user(role: Role): Caller {
  return { kind: "user", tenantId: "t", role, userId: "u" };
}

const secret: Caller = { kind: "secret", tenantId: null };

const table: [action: Action, roles: Role[]][] = [
  ["read_conversations", [...ROLES]],
  ["read_settings", ["owner", "admin", "operator", "viewer"]],
  ["use_messages", ["owner", "admin", "operator"]],
  ["use_wallet", ["owner", "admin", "finance"]],
  ["change_settings", ["owner", "admin"]],
  ["change_members", ["owner"]],
  ["run_platform", []],
];

for (const [action, roles] of table) {
  Deno.test(`${action} is for ${roles.join(", ") || "nobody"} and for secret callers`, () => {
    assert.deepEqual(ROLES.filter((role) => mayDo(user(role), action)), roles);
    assert.equal(mayDo(secret, action), true);
  });
}

const grants: [role: Role, granted: Role[]][] = [
  ["owner", ["owner", "admin", "finance", "operator", "viewer"]],
  ["admin", ["admin", "finance", "operator", "viewer"]],
  ["finance", []],
  ["operator", []],
  ["viewer", []],
];

for (const [role, granted] of grants) {
  Deno.test(`${role} may grant ${granted.join(", ") || "nothing"}`, () => {
    assert.deepEqual(ROLES.filter((given) => mayGrant(user(role), given)), granted);
  });
}

Deno.test("a secret caller may grant every role", () => {
  assert.ok(ROLES.every((role) => mayGrant(secret, role)));
});
