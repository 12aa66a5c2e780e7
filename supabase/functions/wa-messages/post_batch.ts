import * as z from "zod";
import { toFieldErrors } from "../_shared/http/field_errors.ts";
import { readIdempotencyKey } from "../_shared/http/idempotency_key.ts";
import { parseBody } from "../_shared/http/parse_body.ts";
import { problem } from "../_shared/http/problem.ts";
import { parseMessage } from "../_shared/whatsapp/outbound_message.ts";
import { toSubmission } from "./acceptance.ts";
import type { BatchMode, Enqueue, Submission } from "./acceptance.ts";
import {
  accepted,
  batchRefused,
  describeRefusal,
  invalidMessage,
  judge,
  refuse,
} from "./answers.ts";
import type { Refusal, Verdict } from "./answers.ts";

const MAX_BODY_BYTES = 4 * 1_024 * 1_024;
const MAX_MESSAGES = 1_000;

const batch = z.strictObject({
  messages: z.array(z.unknown()).min(1),
  mode: z.enum(["as_covered", "all_or_nothing"]).optional(),
});

export interface PostBatchDeps {
  enqueueBatch: Record<BatchMode, Enqueue>;
  now: () => number;
}

/**
 * Accepts the valid messages of a batch in one transaction, in their order as long as the wallet covers
 * them, and says of each other why not; or takes all or none. Under an Idempotency-Key every message
 * has the key `<key>:<index>`, so that a repetition adds nothing.
 */
export async function postBatch(
  { enqueueBatch, now }: PostBatchDeps,
  tenantId: string,
  request: Request,
): Promise<Response> {
  const named = readIdempotencyKey(request);
  if (!named.ok) return named.response;
  const parsed = await parseBody(batch, request, MAX_BODY_BYTES);
  if (!parsed.ok) return parsed.response;
  const { messages, mode = "as_covered" } = parsed.value;
  if (messages.length > MAX_MESSAGES) return tooMany(messages.length);
  const checked = messages.map((message, index) => {
    const key = named.key === null ? null : `${named.key}:${index}`;
    return check(message, key, now());
  });
  if (mode === "all_or_nothing" && checked.some(({ ok }) => !ok)) {
    return refuseAll(checked.map((one) => one.ok ? { ok: false, refusal: batchRefused() } : one));
  }
  const submissions = checked.flatMap((one) => (one.ok ? [one.submission] : []));
  const acceptances = submissions.length === 0
    ? []
    : await enqueueBatch[mode](tenantId, submissions);
  const answers = acceptances.values();
  const verdicts = checked.map((one) => (one.ok ? judge(answers.next().value!) : one));
  const isRefused = mode === "all_or_nothing" && verdicts.some(({ ok }) => !ok);
  return isRefused ? refuseAll(verdicts) : answer(verdicts);
}

type Checked = { ok: true; submission: Submission } | { ok: false; refusal: Refusal };

function check(message: unknown, key: string | null, now: number): Checked {
  const parsed = parseMessage(message, now);
  if (parsed.ok) return { ok: true, submission: toSubmission(parsed.request, key) };
  return { ok: false, refusal: invalidMessage(toFieldErrors(parsed.error)) };
}

function answer(verdicts: Verdict[]): Response {
  const taken = verdicts.flatMap((verdict, index) =>
    verdict.ok ? [{ index, ...verdict.taken }] : []
  );
  const rejected = describeRejected(verdicts);
  const isReplay = taken.length > 0 && verdicts.every((verdict) => !verdict.ok || verdict.isReplay);
  return accepted({ accepted: taken, rejected }, isReplay);
}

function describeRejected(verdicts: Verdict[]) {
  return verdicts.flatMap((verdict, index) =>
    verdict.ok ? [] : [{ index, problem: describeRefusal(verdict.refusal) }]
  );
}

// For money they are all refused alike, with what all of them together would have needed.
function refuseAll(verdicts: Verdict[]): Response {
  const [first] = verdicts;
  const isUnpaid = first !== undefined && !first.ok && first.refusal.status === 402;
  if (isUnpaid) return refuse(first.refusal);
  return refuse({ ...batchRefused(), rejected: describeRejected(verdicts) });
}

function tooMany(count: number): Response {
  const detail = `A batch may have at most ${MAX_MESSAGES} messages, this one has ${count}.`;
  return problem(413, "payload_too_large", detail, { max_messages: MAX_MESSAGES });
}
