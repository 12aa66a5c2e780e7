import * as z from "zod";
import { ROLES } from "../_shared/http/caller.ts";
import { parseBody } from "../_shared/http/parse_body.ts";
import { problem } from "../_shared/http/problem.ts";
import { mayGrant } from "../_shared/http/roles.ts";
import { UUID } from "../_shared/uuid.ts";
import { MAX_BODY_BYTES } from "./command.ts";
import type { Command } from "./command.ts";
import { noSuchTenant } from "./tenants.ts";

const memberBody = z.strictObject({
  user_id: z.guid("must be the UUID of a user"),
  role: z.enum(ROLES),
});

const memberOutcome = z.object({
  outcome: z.enum(["set", "tenant_not_found", "user_not_found", "last_owner"]),
});
const removal = z.object({ outcome: z.enum(["removed", "not_found", "last_owner"]) });

/** Gives a user a role in the tenant, or another one than before. */
export async function setMember(
  { call, request, caller, actor, param }: Command,
): Promise<Response> {
  const body = await parseBody(memberBody, request, MAX_BODY_BYTES);
  if (!body.ok) return body.response;
  if (!mayGrant(caller, body.value.role)) return mayNotGrant();
  const { outcome } = memberOutcome.parse(
    await call("set_member", { tenant_id: param("id"), ...body.value, actor }),
  );
  switch (outcome) {
    case "set":
      return Response.json(body.value);
    case "tenant_not_found":
      return noSuchTenant();
    case "user_not_found":
      return problem(422, "invalid_request", "There is no such user.", {
        errors: [{ pointer: "/user_id", detail: "is no user of this project" }],
      });
    case "last_owner":
      return lastOwner();
  }
}

/** The people of the tenant with their roles, at most 1,000. */
export async function listMembers({ call, param }: Command): Promise<Response> {
  return Response.json({ members: await call("list_members", { wanted_tenant_id: param("id") }) });
}

/** Takes a person out of the tenant: the next request of theirs is refused. */
export async function removeMember({ call, actor, param }: Command): Promise<Response> {
  const user_id = param("user_id");
  if (!UUID.test(user_id)) return noSuchMember();
  const { outcome } = removal.parse(
    await call("remove_member", { tenant_id: param("id"), user_id, actor }),
  );
  switch (outcome) {
    case "removed":
      return Response.json({ user_id });
    case "not_found":
      return noSuchMember();
    case "last_owner":
      return lastOwner();
  }
}

export function mayNotGrant(): Response {
  return problem(403, "forbidden", "Nobody gives a role with more rights than their own.");
}

function lastOwner(): Response {
  return problem(409, "last_owner", "Nobody else owns the tenant: give another member the role.");
}

function noSuchMember(): Response {
  return problem(404, "not_found", "The user is no member of the tenant.");
}
