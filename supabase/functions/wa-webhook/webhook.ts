import { problem } from "../_shared/http/problem.ts";
import type { Handler } from "../_shared/http/serve.ts";
import type { Log } from "../_shared/telemetry/log.ts";
import { isSameSecret } from "../_shared/whatsapp/signature.ts";
import type { VerifySignature } from "../_shared/whatsapp/signature.ts";
import { splitWebhook } from "../_shared/whatsapp/webhook_events.ts";
import type { StoreEvents } from "./event_store.ts";
import { readBody } from "./read_body.ts";
import type { ReportRefusal } from "./refusals.ts";

/** Meta sends up to 3 MB; measured in MiB here, so that its largest body passes either way. */
const MAX_BODY_BYTES = 3 * 1024 * 1024;

const RETRY_AFTER_SECONDS = 5;

export interface WebhookDeps {
  verifyToken: string;
  verifySignature: VerifySignature;
  storeEvents: StoreEvents;
  reportRefusal: ReportRefusal;
}

/**
 * Meta's side door. GET proves that the address is ours; POST is answered 200 once every event of
 * the body is committed, and otherwise so that Meta sends it again.
 */
export function createHandler(deps: WebhookDeps): Handler {
  return (request, { log }) => {
    switch (request.method) {
      case "GET":
        return answerHandshake(request, deps, log);
      case "POST":
        return receive(request, deps, log);
      default:
        return problem(405, "method_not_allowed", "Meta uses GET and POST here.", {
          headers: { allow: "GET, POST" },
        });
    }
  };
}

/**
 * True of the answer that has no line of its own in the log: the line of the commit, events.stored,
 * tells of all that it stored, and thousands a second would cost more than the webhooks.
 */
export function isStored(request: Request, response: Response): boolean {
  return request.method === "POST" && response.status === 200;
}

function answerHandshake(request: Request, deps: WebhookDeps, log: Log): Response {
  const query = new URL(request.url).searchParams;
  const token = query.get("hub.verify_token") ?? "";
  const challenge = query.get("hub.challenge");
  const isOurs = isSameSecret(token, deps.verifyToken) && query.get("hub.mode") === "subscribe";
  if (!isOurs || challenge === null) {
    deps.reportRefusal("webhook.handshake_refused", log);
    return problem(403, "forbidden", "hub.verify_token is not the one that is configured.");
  }
  return new Response(challenge, {
    headers: { "content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff" },
  });
}

async function receive(request: Request, deps: WebhookDeps, log: Log): Promise<Response> {
  const body = await readBody(request, MAX_BODY_BYTES);
  if (!body.ok) return refuseBody(body.reason);
  const signature = request.headers.get("x-hub-signature-256");
  if (!deps.verifySignature(body.bytes, signature)) {
    deps.reportRefusal("webhook.signature_refused", log);
    return problem(401, "invalid_signature", "X-Hub-Signature-256 does not sign this body.");
  }
  const answer = await deps.storeEvents(splitWebhook(body.bytes), body.bytes.byteLength);
  switch (answer) {
    case "stored":
      return new Response(null, { status: 200 });
    case "overloaded":
      return tryAgain("overloaded", "Too many events wait to be stored; send it again.");
    case "failed":
      return tryAgain("database_unavailable", "The events could not be stored; send it again.");
  }
}

function refuseBody(reason: "too_large" | "aborted"): Response {
  return reason === "too_large"
    ? problem(413, "payload_too_large", `The body may have at most ${MAX_BODY_BYTES} bytes.`)
    : problem(400, "malformed_request", "The body ended before it was complete.");
}

function tryAgain(code: "overloaded" | "database_unavailable", detail: string): Response {
  return problem(503, code, detail, { headers: { "retry-after": String(RETRY_AFTER_SECONDS) } });
}
