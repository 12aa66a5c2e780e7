import { tellFaults } from "../_shared/http/field_errors.ts";
import { problem, problemBody } from "../_shared/http/problem.ts";
import type { FieldError } from "../_shared/http/problem.ts";
import type { Acceptance } from "./acceptance.ts";
import { refuseUnpaid, tellHeld } from "./payment.ts";
import type { UnpaidRefusal } from "./payment.ts";

/** Why one message was refused: a problem's status, code, detail and members. */
export interface Refusal {
  status: number;
  code:
    | "invalid_message"
    | "unknown_sender"
    | "idempotency_key_reused"
    | "customer_window_closed"
    | "batch_refused"
    | UnpaidRefusal["code"];
  detail: string;
  errors?: FieldError[];
  [member: string]: unknown;
}

/** What is told of a message that was taken. */
export interface Taken {
  id: string;
  planned_send_at: string;
  hold?: ReturnType<typeof tellHeld>;
}

export type Verdict =
  | { ok: true; taken: Taken; isReplay: boolean }
  | { ok: false; refusal: Refusal };

/** What an outcome means to the caller. */
export function judge(acceptance: Acceptance): Verdict {
  switch (acceptance.outcome) {
    case "accepted":
    case "replayed": {
      const { id, planned_send_at, outcome, held } = acceptance;
      const taken = { id, planned_send_at, ...(held && { hold: tellHeld(held) }) };
      return { ok: true, taken, isReplay: outcome === "replayed" };
    }
    case "unknown_sender":
      return { ok: false, refusal: unknownSender() };
    case "key_reused":
      return { ok: false, refusal: keyReused(acceptance.fields) };
    case "window_closed":
      return { ok: false, refusal: windowClosed(acceptance.closed_at) };
    case "unpaid":
      return { ok: false, refusal: refuseUnpaid(acceptance.unpaid) };
    case "batch_refused":
      return { ok: false, refusal: batchRefused() };
  }
}

function unknownSender(): Refusal {
  return {
    status: 404,
    code: "unknown_sender",
    detail: "The tenant has no sender with this phone_number_id: " +
      "GET /admin/tenants/{id}/senders lists those that it has.",
    errors: [{ pointer: "/from", detail: "is no sender of this tenant" }],
  };
}

function keyReused(fields: string[]): Refusal {
  const detail = "differs from the first request with this key";
  return {
    status: 422,
    code: "idempotency_key_reused",
    detail: "The Idempotency-Key was used for another message: use a new one for a new message.",
    errors: fields.map((field) => ({ pointer: `/${field}`, detail })),
  };
}

function windowClosed(closed_at: string): Refusal {
  return {
    status: 422,
    code: "customer_window_closed",
    detail: "The recipient wrote last more than 24 hours ago: only a template may be sent.",
    errors: [{ pointer: "/type", detail: "must be template until the recipient writes again" }],
    closed_at,
  };
}

/** Of a message that nothing is wrong with, in a batch that was to be taken whole or not at all. */
export function batchRefused(): Refusal {
  const detail = "Another message of the batch was refused, and so were all.";
  return { status: 422, code: "batch_refused", detail };
}

export function invalidMessage(errors: FieldError[]): Refusal {
  const detail = tellFaults("The message", errors);
  return { status: 422, code: "invalid_message", detail, errors };
}

export function refuse({ status, code, detail, ...members }: Refusal): Response {
  return problem(status, code, detail, members);
}

/** The refusal as it stands inside the answer to a batch. */
export function describeRefusal(
  { status, code, detail, ...members }: Refusal,
): Record<string, unknown> {
  return problemBody(status, code, detail, members);
}

export function accepted(body: unknown, isReplay: boolean): Response {
  return Response.json(body, {
    status: 202,
    headers: isReplay ? { "idempotent-replayed": "true" } : {},
  });
}

export function overloaded(): Response {
  return problem(503, "overloaded", "Too many messages of this tenant are waiting here.", {
    headers: { "retry-after": "1" },
  });
}

export function noSuchMessage(): Response {
  return problem(404, "not_found", "The tenant has no such message.");
}
