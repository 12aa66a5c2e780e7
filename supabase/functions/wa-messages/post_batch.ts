import * as z from "zod";
import { toFieldErrors } from "../_shared/http/field_errors.ts";
import { readIdempotencyKey } from "../_shared/http/idempotency_key.ts";
import { parseBody } from "../_shared/http/parse_body.ts";
import { problem } from "../_shared/http/problem.ts";
import { parseMessage } from "../_shared/whatsapp/outbound_message.ts";
import { toSubmission } from "./acceptance.ts";
import type { Enqueue, Submission } from "./acceptance.ts";
import { accepted, describeRefusal, invalidMessage, judge } from "./answers.ts";
import type { Refusal, Verdict } from "./answers.ts";

const MAX_BODY_BYTES = 4 * 1_024 * 1_024;
const MAX_MESSAGES = 1_000;

const batch = z.strictObject({ messages: z.array(z.unknown()).min(1) });

export interface PostBatchDeps {
  enqueue: Enqueue;
  now: () => number;
}

/**
 * Accepts the valid messages of a batch in one transaction and says of each other why not. Under an
 * Idempotency-Key every message has the key `<key>:<index>`, so that a repetition adds nothing.
 */
export async function postBatch(
  { enqueue, now }: PostBatchDeps,
  tenantId: string,
  request: Request,
): Promise<Response> {
  const named = readIdempotencyKey(request);
  if (!named.ok) return named.response;
  const parsed = await parseBody(batch, request, MAX_BODY_BYTES);
  if (!parsed.ok) return parsed.response;
  const { messages } = parsed.value;
  if (messages.length > MAX_MESSAGES) return tooMany(messages.length);
  const checked = messages.map((message, index) => {
    const key = named.key === null ? null : `${named.key}:${index}`;
    return check(message, key, now());
  });
  const submissions = checked.flatMap((one) => (one.ok ? [one.submission] : []));
  const acceptances = submissions.length === 0 ? [] : await enqueue(tenantId, submissions);
  const answers = acceptances.values();
  return answer(checked.map((one) => (one.ok ? judge(answers.next().value!) : one)));
}

type Checked = { ok: true; submission: Submission } | { ok: false; refusal: Refusal };

function check(message: unknown, key: string | null, now: number): Checked {
  const parsed = parseMessage(message, now);
  if (parsed.ok) return { ok: true, submission: toSubmission(parsed.request, key) };
  return { ok: false, refusal: invalidMessage(toFieldErrors(parsed.error)) };
}

function answer(verdicts: Verdict[]): Response {
  const taken = verdicts.flatMap((verdict, index) =>
    verdict.ok ? [{ index, id: verdict.id, planned_send_at: verdict.planned_send_at }] : []
  );
  const rejected = verdicts.flatMap((verdict, index) =>
    verdict.ok ? [] : [{ index, problem: describeRefusal(verdict.refusal) }]
  );
  const isReplay = taken.length > 0 && verdicts.every((verdict) => !verdict.ok || verdict.isReplay);
  return accepted({ accepted: taken, rejected }, isReplay);
}

function tooMany(count: number): Response {
  const detail = `A batch may have at most ${MAX_MESSAGES} messages, this one has ${count}.`;
  return problem(413, "payload_too_large", detail, { max_messages: MAX_MESSAGES });
}
