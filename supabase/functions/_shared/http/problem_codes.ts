/** What a code always means; docs/errors.md says what the caller can do about each. */
export interface ProblemKind {
  status: number;
  title: string;
}

/** Every problem that the functions answer with, once. */
export const PROBLEMS = {
  malformed_request: { status: 400, title: "The request is malformed" },
  malformed_json: { status: 400, title: "The body is not JSON" },
  missing_idempotency_key: { status: 400, title: "The Idempotency-Key header is missing" },
  invalid_idempotency_key: { status: 400, title: "The Idempotency-Key header is malformed" },
  invalid_tenant_id: { status: 400, title: "The tenant id is missing or malformed" },
  missing_credentials: { status: 401, title: "The request carries no credentials" },
  invalid_credentials: { status: 401, title: "The credentials are not valid" },
  invalid_signature: { status: 401, title: "The webhook is not signed by this app" },
  insufficient_funds: { status: 402, title: "The wallet does not hold enough" },
  debt_outstanding: { status: 402, title: "The tenant owes money" },
  spending_limit_reached: { status: 402, title: "The account has spent what it may in a day" },
  forbidden: { status: 403, title: "This caller may not do this" },
  tenant_suspended: { status: 403, title: "The tenant is suspended" },
  not_found: { status: 404, title: "There is nothing at this address" },
  unknown_sender: { status: 404, title: "The tenant has no such sender" },
  unknown_account: { status: 404, title: "The tenant has no such account" },
  unknown_hold: { status: 404, title: "The tenant has no such hold" },
  method_not_allowed: { status: 405, title: "This address does not take this method" },
  conflict: { status: 409, title: "The request conflicts with what exists" },
  last_owner: { status: 409, title: "The tenant would have no owner" },
  not_queued: { status: 409, title: "The message is no longer queued" },
  idempotency_key_in_flight: { status: 409, title: "The same request is still being answered" },
  idempotency_answer_forgotten: { status: 409, title: "The key was used too long ago" },
  hold_captured: { status: 409, title: "The hold was captured" },
  hold_released: { status: 409, title: "The hold was released" },
  hold_expired: { status: 409, title: "The hold has expired" },
  media_gone: { status: 410, title: "Meta keeps the file no longer" },
  payload_too_large: { status: 413, title: "The body is too large" },
  amount_exceeds_hold: { status: 422, title: "The hold does not hold so much" },
  no_rate: { status: 422, title: "The message has no price" },
  invalid_rate_card: { status: 422, title: "The rate card is not valid" },
  batch_refused: { status: 422, title: "The batch was refused as a whole" },
  invalid_message: { status: 422, title: "The message is not valid" },
  invalid_request: { status: 422, title: "The request is not valid" },
  customer_window_closed: { status: 422, title: "The recipient's customer window is closed" },
  idempotency_key_reused: { status: 422, title: "The key belongs to another request" },
  linked_transfer_refused: { status: 422, title: "One of the linked transfers was refused" },
  payment_reused: { status: 422, title: "The payment was credited with other fields" },
  too_many_requests: { status: 429, title: "Too many requests" },
  internal_error: { status: 500, title: "Something broke here" },
  media_unavailable: { status: 502, title: "The file cannot be had from Meta" },
  overloaded: { status: 503, title: "Too much is waiting here" },
  database_unavailable: { status: 503, title: "The database does not answer" },
  redis_not_configured: { status: 503, title: "There is no Redis here" },
  redis_unavailable: { status: 503, title: "Redis does not answer" },
} as const satisfies Record<string, ProblemKind>;

export type ProblemCode = keyof typeof PROBLEMS;
