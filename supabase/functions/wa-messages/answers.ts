import { problem, problemBody } from "../_shared/http/problem.ts";
import type { FieldError } from "../_shared/http/problem.ts";
import type { Acceptance } from "./acceptance.ts";

/** Why one message was refused: a problem's status, code, detail and members. */
export interface Refusal {
  status: number;
  code: "invalid_message" | "unknown_sender" | "idempotency_key_reused";
  detail: string;
  errors: FieldError[];
}

export type Verdict =
  | { ok: true; id: string; planned_send_at: string; isReplay: boolean }
  | { ok: false; refusal: Refusal };

/** What an outcome means to the caller. */
export function judge(acceptance: Acceptance): Verdict {
  switch (acceptance.outcome) {
    case "accepted":
    case "replayed": {
      const { id, planned_send_at, outcome } = acceptance;
      return { ok: true, id, planned_send_at, isReplay: outcome === "replayed" };
    }
    case "unknown_sender":
      return { ok: false, refusal: unknownSender() };
    case "key_reused":
      return { ok: false, refusal: keyReused(acceptance.fields) };
  }
}

function unknownSender(): Refusal {
  return {
    status: 404,
    code: "unknown_sender",
    detail: "The tenant has no sender with this phone_number_id.",
    errors: [{ pointer: "/from", detail: "is no sender of this tenant" }],
  };
}

function keyReused(fields: string[]): Refusal {
  const detail = "differs from the first request with this key";
  return {
    status: 422,
    code: "idempotency_key_reused",
    detail: "The Idempotency-Key was used for another message.",
    errors: fields.map((field) => ({ pointer: `/${field}`, detail })),
  };
}

export function invalidMessage(errors: FieldError[]): Refusal {
  const detail = `The message has ${errors.length} ${errors.length === 1 ? "fault" : "faults"}.`;
  return { status: 422, code: "invalid_message", detail, errors };
}

export function refuse({ status, code, detail, errors }: Refusal): Response {
  return problem(status, code, detail, { errors });
}

/** The refusal as it stands inside the answer to a batch. */
export function describeRefusal(
  { status, code, detail, errors }: Refusal,
): Record<string, unknown> {
  return problemBody(status, code, detail, { errors });
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
