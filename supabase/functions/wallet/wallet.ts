import { Hono } from "hono";
import type * as z from "zod";
import type { CallRpc } from "../_shared/database.ts";
import { actorOf, admitToTenant } from "../_shared/http/admission.ts";
import { readJson } from "../_shared/http/body.ts";
import type { ReadJson } from "../_shared/http/body.ts";
import type { Identify } from "../_shared/http/caller.ts";
import type { Handler } from "../_shared/http/serve.ts";
import type { Log } from "../_shared/telemetry/log.ts";
import { fingerprintFields, readIdempotencyKey } from "../_shared/wallet/idempotency_key.ts";
import { parseAccount, parseShownHold } from "../_shared/wallet/outcomes.ts";
import type { Outcome } from "../_shared/wallet/outcomes.ts";
import * as answers from "./answers.ts";
import { captureHold, placeHold, releaseHold, tellHold } from "./hold_operations.ts";
import { openAccount, topUpAccount, transferFunds } from "./operations.ts";
import type { Mandate, Operation } from "./operations.ts";
import { parseRequest } from "./requests.ts";
import { readStatement } from "./statements.ts";

const MAX_BODY_BYTES = 16_384;
const UUID_PATTERN = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}";

export interface WalletDeps {
  call: CallRpc;
  identify: Identify;
}

type Fields = Record<string, unknown>;

/** For whom a request that was admitted runs. */
interface Admission {
  tenantId: string;
  actor: Mandate["actor"];
  log: Log;
}

/** The wallet: changes under an idempotency key, each made once, and a look at an account. */
export function createHandler({ call, identify }: WalletDeps): Handler {
  const routes = createRoutes(call);
  return async (request, { log }) => {
    const admitted = await admitToTenant(identify, request, "use_wallet");
    if (!admitted.ok) return admitted.response;
    const actor = actorOf(admitted.caller);
    return await routes.fetch(request, { tenantId: admitted.tenantId, actor, log });
  };
}

function createRoutes(call: CallRpc): Hono<{ Bindings: Admission }> {
  const routes = new Hono<{ Bindings: Admission }>({ strict: false }).basePath("/wallet");
  const post = <R extends Fields, D extends { outcome: "completed" }>(
    path: string,
    operation: Operation<R, D>,
  ) => routes.post(path, (c) => perform(call, operation, c.req.raw, c.env, {}));

  post("/accounts", openAccount);
  post("/transfer", transferFunds);
  post("/topups", topUpAccount);
  post("/holds", placeHold);
  routes.post(
    `/holds/:holdId{${UUID_PATTERN}}/capture`,
    (c) => perform(call, captureHold, c.req.raw, c.env, c.req.param()),
  );
  routes.post(
    `/holds/:holdId{${UUID_PATTERN}}/release`,
    (c) => perform(call, releaseHold, c.req.raw, c.env, c.req.param()),
  );
  routes.get(`/holds/:id{${UUID_PATTERN}}`, async (c) => {
    const args = { tenant_id: c.env.tenantId, hold_id: c.req.param("id") };
    const hold = parseShownHold(await call("get_wallet_hold", args));
    return hold.outcome === "found"
      ? answers.answerJson(200, tellHold(hold))
      : answers.unknownHold();
  });
  routes.get(`/accounts/:id{${UUID_PATTERN}}`, async (c) => {
    const args = { tenant_id: c.env.tenantId, account_id: c.req.param("id") };
    const account = parseAccount(await call("get_wallet_account", args));
    return account.outcome === "found" ? answers.tellAccount(account) : answers.unknownAccount();
  });
  routes.get("/accounts/:id", answers.unknownAccount);

  routes.get(`/accounts/:id{${UUID_PATTERN}}/statement`, (c) => {
    const args = { tenant_id: c.env.tenantId, account_id: c.req.param("id") };
    return readStatement(call, args, c.req.query());
  });
  routes.get("/accounts/:id/statement", answers.unknownAccount);
  routes.get("/holds/:id", answers.unknownHold);
  routes.post("/holds/:id/capture", answers.unknownHold);
  routes.post("/holds/:id/release", answers.unknownHold);

  routes.all("/accounts/:id", () => answers.wrongMethod("GET"));
  routes.all("/accounts/:id/statement", () => answers.wrongMethod("GET"));
  routes.all("/holds/:id", () => answers.wrongMethod("GET"));
  const changes = ["/accounts", "/transfer", "/topups", "/holds"];
  for (const path of [...changes, "/holds/:id/capture", "/holds/:id/release"]) {
    routes.all(path, () => answers.wrongMethod("POST"));
  }
  routes.notFound(answers.noSuchAddress);
  // Hono would answer for itself: what broke belongs to the wrapper outside.
  routes.onError((error) => {
    throw error;
  });
  return routes;
}

async function perform<R extends Fields, D extends { outcome: "completed" }, T extends Fields>(
  call: CallRpc,
  operation: Operation<R, D, T>,
  request: Request,
  { tenantId, actor, log }: Admission,
  target: T,
): Promise<Response> {
  const key = readIdempotencyKey(request.headers.get("idempotency-key"));
  if (!key.ok) {
    log.info("idempotency.error", { operation: operation.name, outcome: key.error });
    return answers.refuseKey(key.error);
  }
  const body = await readBody(request, operation.request);
  if (!body.ok) return body.response;
  const parsed = parseRequest(operation.request, body.value);
  if (!parsed.ok) return answers.refuseRequest(parsed.errors);

  const asked = { ...target, ...parsed.value };
  const idempotency = { key: key.key, ...await fingerprintFields(asked) };
  const mandate = { tenant_id: tenantId, actor, idempotency };
  const outcome = await operation.run(call, asked, mandate);
  logKey(log, operation.name, key.key, outcome.outcome);
  return tellOutcome(operation, outcome);
}

// What needs no fields needs no body.
async function readBody(request: Request, schema: z.ZodType): Promise<ReadJson> {
  if (request.headers.get("content-length") === "0" || request.body === null) {
    if (schema.safeParse({}).success) return { ok: true, value: {}, bytes: 0 };
  }
  return await readJson(request, MAX_BODY_BYTES);
}

function tellOutcome<R extends Fields, D extends { outcome: "completed" }, T extends Fields>(
  operation: Operation<R, D, T>,
  outcome: Outcome<D>,
): Response {
  switch (outcome.outcome) {
    case "completed":
      return answers.answerJson(operation.status, operation.tell(outcome));
    case "replayed": {
      const response = tellOutcome(operation, outcome.answer);
      response.headers.set("idempotent-replayed", "true");
      return response;
    }
    case "key_reused":
    case "in_flight":
    case "tenant_not_found":
      return answers.tellKeyOutcome(outcome);
    default:
      return answers.tellRefusal(outcome);
  }
}

const KEY_EVENTS: Record<string, "hit" | "error"> = {
  replayed: "hit",
  key_reused: "error",
  in_flight: "error",
};

// Counted from the log; the log masks the key.
function logKey(log: Log, operation: string, key: string, outcome: string): void {
  const event = KEY_EVENTS[outcome] ?? "miss";
  log.info(`idempotency.${event}`, { operation, idempotency_key: key, outcome });
}
