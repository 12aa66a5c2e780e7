import type { CallRpc } from "../_shared/database.ts";
import { readBytes } from "../_shared/http/body.ts";
import { problem } from "../_shared/http/problem.ts";
import type { Handler } from "../_shared/http/serve.ts";
import { readStripeEvent } from "../_shared/wallet/stripe_events.ts";
import type { VerifyStripeSignature } from "../_shared/wallet/stripe_signature.ts";
import * as answers from "./answers.ts";

const MAX_BODY_BYTES = 262_144;

export interface ProviderDeps {
  call: CallRpc;
  /** Null where no secret is configured: then nobody is listened to. */
  verifyStripe: VerifyStripeSignature | null;
  now: () => number;
}

/**
 * POST /wallet/providers/stripe, for whoever signs with the secret: answers 200 once what the event
 * says is in the ledger, or is none of the wallet's business, or is written down for an operator.
 * Anything else makes Stripe send it again.
 */
export function createProviderWebhook({ call, verifyStripe, now }: ProviderDeps): Handler {
  return async (request, { log }) => {
    if (verifyStripe === null) return answers.noSuchAddress();
    if (request.method !== "POST") return answers.wrongMethod("POST");
    const read = await readBytes(request, MAX_BODY_BYTES);
    if (!read.ok) return refuseBody(read.reason);
    if (!verifyStripe(read.bytes, request.headers.get("stripe-signature"), now())) {
      log.warn("payment_notice.refused");
      return problem(401, "invalid_signature", "The webhook is not signed by the provider.");
    }

    const notice = readStripeEvent(parseJson(read.bytes));
    switch (notice.kind) {
      case "ignored":
        return received(notice.why);
      case "malformed":
        log.error("payment_notice.not_understood");
        return problem(422, "invalid_request", "The event is not as the provider documents it.");
      case "event": {
        const { event } = notice;
        const { outcome } = await call("apply_provider_event", {
          provider: "stripe",
          event: { ...event },
        }) as { outcome: string };
        log.info("payment_notice.applied", { action: event.action, outcome });
        return received(outcome);
      }
    }
  };
}

function received(outcome: string): Response {
  return answers.answerJson(200, { received: true, outcome });
}

function refuseBody(reason: "too_large" | "aborted"): Response {
  return reason === "too_large"
    ? problem(413, "payload_too_large", `The body may have at most ${MAX_BODY_BYTES} bytes.`)
    : problem(400, "malformed_request", "The body ended before it was complete.");
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}
