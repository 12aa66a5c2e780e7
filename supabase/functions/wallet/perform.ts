import type * as z from "zod";
import { digestRequest } from "../_shared/canonical_json.ts";
import type { CallRpc } from "../_shared/database.ts";
import { readJson } from "../_shared/http/body.ts";
import type { ReadJson } from "../_shared/http/body.ts";
import type { Log } from "../_shared/telemetry/log.ts";
import type { Outcome } from "../_shared/wallet/outcomes.ts";
import * as answers from "./answers.ts";
import { readIdempotencyKey } from "./idempotency_key.ts";
import type { Mandate, Operation } from "./operations.ts";
import { parseRequest } from "./requests.ts";

const MAX_BODY_BYTES = 16_384;

type Fields = Record<string, unknown>;

/** For whom a request that was admitted runs. */
export interface Admission {
  tenantId: string;
  actor: Mandate["actor"];
  log: Log;
  /** Counts a key that was refused before the ledger saw it. */
  countKeyError: () => void;
  mayTopUp: boolean;
}

/** Performs an operation once for its Idempotency-Key, and answers alike whenever it is asked again. */
export async function perform<
  R extends Fields,
  D extends { outcome: "completed" },
  T extends Fields,
>(
  call: CallRpc,
  operation: Operation<R, D, T>,
  request: Request,
  { tenantId, actor, log, countKeyError }: Admission,
  target: T,
): Promise<Response> {
  const key = readIdempotencyKey(request);
  if (!key.ok) {
    log.info("idempotency.error", { operation: operation.name, outcome: key.error });
    countKeyError();
    return answers.refuseKey(key.error);
  }
  const body = await readBody(request, operation.request);
  if (!body.ok) return body.response;
  const parsed = parseRequest(operation.request, body.value);
  if (!parsed.ok) return answers.refuseRequest(parsed.errors);

  const asked = { ...target, ...parsed.value };
  const idempotency = { key: key.key, ...digestRequest(asked) };
  const mandate = { tenant_id: tenantId, actor, idempotency };
  const outcome = await operation.run(call, asked, mandate);
  logKey(log, operation.name, key.key, outcome.outcome);
  return tellOutcome(operation, outcome);
}

/** The body as JSON; what needs no fields needs no body. */
export async function readBody(request: Request, schema: z.ZodType): Promise<ReadJson> {
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
    case "answer_forgotten":
      return answers.tellKeyOutcome(outcome);
    default:
      return answers.tellRefusal(outcome);
  }
}

const KEY_EVENTS: Record<string, "hit" | "error"> = {
  replayed: "hit",
  answer_forgotten: "hit",
  key_reused: "error",
  in_flight: "error",
};

// Counted from the log; the log masks the key.
function logKey(log: Log, operation: string, key: string, outcome: string): void {
  const event = KEY_EVENTS[outcome] ?? "miss";
  log.info(`idempotency.${event}`, { operation, idempotency_key: key, outcome });
}
