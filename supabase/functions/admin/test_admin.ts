import type { Caller, Role } from "../_shared/http/caller.ts";
import { serve } from "../_shared/http/serve.ts";
import { createLog } from "../_shared/telemetry/log.ts";
import { answerCalls } from "../_shared/test_database.ts";
import { createHandler } from "./admin.ts";
import type { AdminDeps } from "./command.ts";

export const tenantId = "11111111-1111-4111-8111-111111111111";
export const otherTenantId = "22222222-2222-4222-8222-222222222222";
export const userId = "33333333-3333-4333-8333-333333333333";

/** The operator of the whole installation, and how the audit log names who that is. */
export const secret: Caller = { kind: "secret", tenantId: null };
export const secretActor = { kind: "secret", request_id: "r" };

/** Somebody of a tenant. */
export function user(role: Role, of = tenantId): Caller {
  return { kind: "user", tenantId: of, role, userId };
}

interface World extends Partial<Omit<AdminDeps, "call" | "identify">> {
  caller?: Caller;
  /** What the database answers, by function. */
  rpc?: Record<string, unknown>;
}

/** The admin function with nothing but a database behind it. */
export function createTestAdmin({ caller = secret, rpc = {}, ...deps }: World = {}) {
  const { call, calls } = answerCalls(rpc);
  const lines: string[] = [];
  const now = () => 0;
  const log = createLog({ write: (line) => lines.push(line), now, fields: {} });
  const handler = createHandler({
    call,
    identify: () => Promise.resolve({ ok: true, caller }),
    randomBytes: (length) => new Uint8Array(length).fill(255),
    resolve: () => Promise.resolve(["8.8.8.8"]),
    reach: "public",
    statistics: null,
    memory: { maxEntries: 1_000, ttlMs: 900_000 },
    breakers: null,
    ...deps,
  });
  const answer = serve("admin", handler, { log, now, newRequestId: () => "r" });
  /** A body that is a string is sent as it is, anything else as JSON. */
  function ask(method: string, path: string, body?: unknown, type = "application/json") {
    const text = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
    const init = text === undefined ? {} : { body: text, headers: { "content-type": type } };
    return answer(new Request(`http://localhost/admin${path}`, { method, ...init }));
  }
  return { ask, calls, lines };
}
