import { readJson } from "../_shared/http/body.ts";
import { toFieldErrors } from "../_shared/http/field_errors.ts";
import { requireIdempotencyKey } from "../_shared/http/idempotency_key.ts";
import { GroupCommitFull } from "../_shared/queue/group_commit.ts";
import { parseMessage } from "../_shared/whatsapp/outbound_message.ts";
import { toSubmission } from "./acceptance.ts";
import type { Acceptance, Submission } from "./acceptance.ts";
import { accepted, invalidMessage, judge, overloaded, refuse } from "./answers.ts";
import type { Submit } from "./tenant_groups.ts";

const MAX_BODY_BYTES = 256 * 1_024;

export interface PostMessageDeps {
  submit: Submit;
  now: () => number;
}

/** Accepts one message once, however often it is posted under its Idempotency-Key. */
export async function postMessage(
  { submit, now }: PostMessageDeps,
  tenantId: string,
  request: Request,
): Promise<Response> {
  const named = requireIdempotencyKey(request);
  if (!named.ok) return named.response;
  const read = await readJson(request, MAX_BODY_BYTES);
  if (!read.ok) return read.response;
  const parsed = parseMessage(read.value, now());
  if (!parsed.ok) return refuse(invalidMessage(toFieldErrors(parsed.error)));
  const submission = toSubmission(parsed.request, named.key);
  const acceptance = await submitUnlessFull(submit, tenantId, submission, read.bytes);
  return acceptance === "full" ? overloaded() : answer(acceptance);
}

async function submitUnlessFull(
  submit: Submit,
  tenantId: string,
  submission: Submission,
  bytes: number,
): Promise<Acceptance | "full"> {
  try {
    return await submit(tenantId, submission, bytes);
  } catch (error) {
    if (error instanceof GroupCommitFull) return "full";
    throw error;
  }
}

function answer(acceptance: Acceptance): Response {
  const verdict = judge(acceptance);
  if (!verdict.ok) return refuse(verdict.refusal);
  const { id, ...taken } = verdict.taken;
  return accepted({ id, status: "queued", ...taken }, verdict.isReplay);
}
