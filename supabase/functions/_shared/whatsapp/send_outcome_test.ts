import { strict as assert } from "node:assert";
import type { GraphAnswer } from "./graph_answer.ts";
import {
  classifyGraphAnswer,
  isAuthError,
  isClientError,
  isRateLimitError,
  isRetryable,
  retryDelayMs,
  shouldNotify,
} from "./send_outcome.ts";
import type { SendOutcome } from "./send_outcome.ts";

type Headers = Extract<GraphAnswer, { kind: "response" }>["headers"];

function answer(status: number, body: unknown, headers: Headers = {}): SendOutcome {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return classifyGraphAnswer({ kind: "response", status, body: text, headers }, "text");
}

function refusal(code: unknown, members: Record<string, unknown> = {}): unknown {
  const message = `(#${code}) Something is wrong`;
  return { error: { message, type: "OAuthException", code, fbtrace_id: "AbC", ...members } };
}

/** Kind and cause, the shortest form of an outcome. */
function outline(outcome: SendOutcome): string {
  if (outcome.kind === "accepted") return "accepted";
  return `${outcome.kind} ${outcome.kind === "unknown" ? outcome.reason : outcome.cause}`;
}

const accepted = {
  messaging_product: "whatsapp",
  contacts: [{ input: "+5511987654321", wa_id: "551187654321" }],
  messages: [{ id: "wamid.A", message_status: "held_for_quality_assessment" }],
};

Deno.test("an answer with a wamid is accepted, with the number that Meta made of ours", () => {
  assert.deepEqual(answer(200, accepted), {
    kind: "accepted",
    wamid: "wamid.A",
    wa_id: "551187654321",
    user_id: null,
    message_status: "held_for_quality_assessment",
  });
});

Deno.test("an answer is accepted whatever else in it is odd", () => {
  const odd = [
    { messages: [{ id: "wamid.A" }] },
    { messages: [{ id: "wamid.A", message_status: 7 }, "second"], contacts: "none" },
    { messages: [{ id: "wamid.A" }], contacts: [{ wa_id: 55, user_id: null }] },
    { messages: [{ id: "wamid.A" }], contacts: [], news: true },
  ];
  for (const body of odd) {
    const outcome = answer(200, body);
    assert.deepEqual([outline(outcome), "wamid" in outcome && outcome.wamid], [
      "accepted",
      "wamid.A",
    ]);
  }
});

Deno.test("a refusal carries what Meta said", () => {
  const details = "Recipient phone number not in allowed list";
  const outcome = answer(400, refusal(131030, { error_subcode: 2655007, error_data: { details } }));
  assert.deepEqual(outcome, {
    kind: "rejected",
    code: 131030,
    subcode: 2655007,
    title: "The recipient is not on the test number's list",
    details,
    fbtrace_id: "AbC",
    http_status: 400,
    cause: "recipient_not_allowed",
    scope: "none",
    pause_ms: null,
    suppress: "none",
    alert: false,
  });
});

Deno.test("a refusal without details carries Meta's message, cut and storable", () => {
  const outcome = answer(400, refusal(131008, { message: `a\u0000b\ud83d${"x".repeat(5_000)}` }));
  assert.ok(outcome.kind === "rejected" && outcome.details !== null);
  assert.equal(outcome.details.length, 1_000);
  assert.ok(outcome.details.startsWith("a\ufffdb\ufffdx"));
});

const byCode: [status: number, body: unknown, expected: string][] = [
  // The code decides, whatever the status.
  [400, refusal(130429), "retry sender_throughput"],
  [429, refusal(130429), "retry sender_throughput"],
  [400, refusal(131056), "retry pair_limit"],
  [429, refusal(131056), "retry pair_limit"],
  [500, refusal(3), "credential_refused capability_missing"],
  [500, refusal(131000), "retry something_went_wrong"],
  [500, refusal(131045), "retry certificate_wrong"],
  [503, refusal(2), "retry api_unavailable"],
  [500, refusal(131042), "retry payment_problem"],
  [401, refusal(131026), "rejected undeliverable"],
  [429, refusal(131026), "rejected undeliverable"],
  [503, refusal(131047), "rejected window_expired"],
  [401, refusal(190, { error_subcode: 463 }), "credential_refused token_expired"],
  [400, refusal("190"), "credential_refused token_expired"],
  [200, refusal(131026), "rejected undeliverable"],
  [206, refusal(131201), "rejected group_error"],
  [400, refusal(100, { error_subcode: 2388009 }), "rejected recipient_not_on_whatsapp"],
  [400, refusal(100, { error_subcode: "2388005" }), "retry media_download_failed"],
  // Code 1 with a fault of the server leaves open what happened.
  [400, refusal(1), "retry api_unknown"],
  [500, refusal(1), "unknown api_unknown"],
  // Codes that nobody knows: what Meta says of them, then the class of the status.
  [400, refusal(999_999), "retry unknown_code"],
  [403, refusal(999_999), "retry unknown_code"],
  [400, refusal(999_999, { is_transient: true }), "retry transient"],
  [500, refusal(999_999, { is_transient: true }), "retry transient"],
  [500, refusal(999_999), "retry server_error"],
  [401, refusal(999_999), "credential_refused unauthorized"],
  [429, refusal(999_999), "retry rate_limit"],
];

for (const [status, body, expected] of byCode) {
  Deno.test(`status ${status} with ${JSON.stringify(body).slice(9, 60)} is ${expected}`, () => {
    assert.equal(outline(answer(status, body)), expected);
  });
}

const mute: [status: number, body: unknown, expected: string][] = [
  [200, "", "unknown answer_without_wamid"],
  [200, `{"messages":[{"id":"wam`, "unknown answer_without_wamid"],
  [200, "<html>", "unknown answer_without_wamid"],
  [200, { messages: [] }, "unknown answer_without_wamid"],
  [200, { messages: [{ id: "" }] }, "unknown answer_without_wamid"],
  [200, { messages: { id: "wamid.A" } }, "unknown answer_without_wamid"],
  [200, { success: true }, "unknown answer_without_wamid"],
  [200, refusal(undefined), "unknown answer_without_wamid"],
  [500, "", "unknown server_error_without_code"],
  [502, "<html>Bad Gateway</html>", "unknown server_error_without_code"],
  [503, { error: "overloaded" }, "unknown server_error_without_code"],
  [504, refusal(null), "unknown server_error_without_code"],
  [500, accepted, "unknown server_error_without_code"],
  [408, "", "unknown server_error_without_code"],
  [401, "", "credential_refused unauthorized"],
  [429, "slow down", "retry rate_limit"],
  [400, refusal(null), "retry unexpected_answer"],
  [400, refusal("x1"), "retry unexpected_answer"],
  [403, "<html>blocked</html>", "retry unexpected_answer"],
  [404, "", "retry unexpected_answer"],
  [307, "", "retry unexpected_answer"],
];

for (const [status, body, expected] of mute) {
  const shown = typeof body === "string" ? body : JSON.stringify(body);
  Deno.test(`status ${status} with ${shown.slice(0, 40) || "nothing"} is ${expected}`, () => {
    assert.equal(outline(answer(status, body)), expected);
  });
}

Deno.test("a read receipt is accepted without a wamid when Meta says success, and by nothing else", () => {
  const answerTo = (body: unknown) =>
    classifyGraphAnswer(
      { kind: "response", status: 200, body: JSON.stringify(body), headers: {} },
      "read",
    );
  const told = answerTo({ success: true });
  assert.deepEqual([told.kind, told.kind === "accepted" && told.wamid], ["accepted", null]);
  assert.equal(answerTo({ success: false }).kind, "unknown");
  assert.equal(answerTo({}).kind, "unknown");
  assert.equal(answerTo(refusal(131009)).kind, "rejected");
});

const unanswered: [answer: GraphAnswer, expected: string][] = [
  [{ kind: "not_sent", reason: "refused", detail: "x" }, "retry network_error"],
  [{ kind: "not_sent", reason: "dns", detail: "x" }, "retry network_error"],
  [{ kind: "not_sent", reason: "tls", detail: "x" }, "retry network_error"],
  [{ kind: "not_sent", reason: "connect", detail: "x" }, "retry network_error"],
  [{ kind: "not_sent", reason: "aborted", detail: "x" }, "retry network_error"],
  [
    { kind: "not_sent", reason: "malformed_token", detail: "x" },
    "credential_refused malformed_token",
  ],
  [{ kind: "no_answer", reason: "timeout", detail: "x" }, "unknown timeout"],
  [{ kind: "no_answer", reason: "reset", detail: "x" }, "unknown reset"],
  [{ kind: "no_answer", reason: "aborted", detail: "x" }, "unknown aborted"],
];

for (const [given, expected] of unanswered) {
  assert.ok(given.kind !== "response");
  Deno.test(`${given.kind} for ${given.reason} is ${expected}`, () => {
    assert.equal(outline(classifyGraphAnswer(given, "text")), expected);
  });
}

const usage = (minutes: unknown) =>
  JSON.stringify({ "1": [{ type: "whatsapp", estimated_time_to_regain_access: minutes }] });

const waits: [title: string, headers: Headers, delay_ms: number][] = [
  ["nothing", {}, 10_000],
  ["fewer seconds than we wait anyway", { "retry-after": "3" }, 10_000],
  ["more seconds", { "retry-after": "90" }, 90_000],
  ["minutes", { "x-business-use-case-usage": usage(5) }, 300_000],
  ["a day", { "retry-after": "86400" }, 3_600_000],
  [
    "a date or nonsense",
    { "retry-after": "Wed, 21 Oct", "x-business-use-case-usage": "{" },
    10_000,
  ],
  ["no number of minutes", { "x-business-use-case-usage": usage("soon") }, 10_000],
];

for (const [title, headers, delay_ms] of waits) {
  Deno.test(`a limit whose headers ask for ${title} waits ${delay_ms} ms`, () => {
    const outcome = answer(400, refusal(80007), headers);
    assert.ok(outcome.kind === "retry");
    assert.equal(outcome.delay_ms, delay_ms);
  });
}

const waitOf = (failures: number, code: number, random = 0) => {
  const outcome = answer(400, refusal(code));
  assert.ok(outcome.kind === "retry");
  return retryDelayMs(outcome, failures, () => random);
};

Deno.test("the wait doubles from one second to a minute", () => {
  const delays = [1, 2, 3, 4, 5, 6, 7, 50].map((failures) => waitOf(failures, 131016));
  assert.deepEqual(delays, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
});

Deno.test("the wait of a pair grows fourfold as Meta asks", () => {
  const delays = [1, 2, 3, 4, 5, 6].map((failures) => waitOf(failures, 131056));
  assert.deepEqual(delays, [1_000, 4_000, 16_000, 64_000, 256_000, 256_000]);
});

Deno.test("the wait of a pause is not cut to a minute, and every wait has jitter", () => {
  assert.equal(waitOf(3, 131048), 3_600_000);
  assert.equal(waitOf(1, 131016, 0.999), 1_999);
});

type Verdicts = [
  retryable: boolean,
  auth: boolean,
  rateLimit: boolean,
  client: boolean,
  notify: boolean,
];

// The matrix of the error handling that the project was asked for.
const matrix: [name: string, outcome: SendOutcome, verdicts: Verdicts][] = [
  ["META_SERVER_ERROR", answer(503, refusal(2)), [true, false, false, false, false]],
  [
    "NETWORK_ERROR",
    classifyGraphAnswer({ kind: "not_sent", reason: "refused", detail: "" }, "text"),
    [true, false, false, false, false],
  ],
  ["AUTH_ERROR by status", answer(401, ""), [true, true, false, false, true]],
  ["AUTH_ERROR by code", answer(400, refusal(190)), [true, true, false, false, true]],
  ["RATE_LIMIT by status", answer(429, ""), [true, false, true, false, false]],
  ["RATE_LIMIT by code", answer(400, refusal(4)), [true, false, true, false, false]],
  ["MEDIA_DOWNLOAD_FAILED", bySubcode(2388005), [true, false, false, false, false]],
  ["INVALID_PHONE", bySubcode(2388003), [false, false, false, true, false]],
  ["TEMPLATE_NOT_FOUND", bySubcode(2388001), [false, false, false, true, true]],
  ["TEMPLATE_PARAMS_MISMATCH", bySubcode(2388002), [false, false, false, true, false]],
  ["RECIPIENT_NOT_ON_WHATSAPP", bySubcode(2388009), [false, false, false, true, false]],
  ["WINDOW_EXPIRED", answer(400, refusal(131047)), [false, false, false, true, true]],
  ["PHONE_NOT_REGISTERED", bySubcode(2388054), [false, false, false, true, true]],
  ["an accepted message", answer(200, accepted), [false, false, false, false, false]],
  ["an unknown outcome", answer(502, ""), [false, false, false, false, false]],
];

function bySubcode(error_subcode: number): SendOutcome {
  return answer(400, refusal(100, { error_subcode }));
}

for (const [name, outcome, verdicts] of matrix) {
  Deno.test(`${name} has the verdicts of the matrix`, () => {
    assert.deepEqual([
      isRetryable(outcome),
      isAuthError(outcome),
      isRateLimitError(outcome),
      isClientError(outcome),
      shouldNotify(outcome),
    ], verdicts);
  });
}

Deno.test("tries are counted as the matrix asks: token and media two, server faults four", () => {
  const tries = (outcome: SendOutcome) => "max_tries" in outcome && outcome.max_tries;
  assert.equal(tries(answer(401, "")), 2);
  assert.equal(tries(bySubcode(2388005)), 2);
  assert.equal(tries(answer(500, refusal(131016))), 4);
});
