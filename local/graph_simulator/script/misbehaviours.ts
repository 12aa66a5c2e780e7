import { z } from "zod";
import { signatureModes } from "../webhooks/signature.ts";
import { ordinaryTreatment, statusNames, type Treatment } from "./treatment.ts";

/** One kind of misbehaviour: what `then` may say about it, and what it does to a send. */
interface Misbehaviour {
  schema: z.ZodType;
  treat(value: unknown, soFar: Treatment): Partial<Treatment>;
}

function misbehaviour<S extends z.ZodType>(
  schema: S,
  treat: (value: z.output<S>, soFar: Treatment) => Partial<Treatment>,
): Misbehaviour {
  return { schema, treat: (value, soFar) => treat(schema.parse(value), soFar) };
}

const yes = z.literal(true);
const milliseconds = z.number().int().nonnegative();

const refusal = z.strictObject({
  code: z.number().int(),
  http: z.number().int().min(400).max(599).optional(),
  subcode: z.number().int().optional(),
  details: z.string().optional(),
  is_transient: z.boolean().optional(),
  when: z.enum(["sync", "async", "both"]).default("sync"),
});

const step = z.strictObject({
  status: z.enum(statusNames),
  after_ms: milliseconds.default(20),
  code: z.number().int().optional(),
  details: z.string().optional(),
});

/** Every misbehaviour by its name in `then`; a new one is one more entry. */
export const misbehaviours: Readonly<Record<string, Misbehaviour>> = {
  error: misbehaviour(
    z.union([z.number().int().transform((code) => refusal.parse({ code })), refusal]),
    ({ code, http, subcode, details, is_transient, when }) => ({
      refusal: { code, http, subcode, details, isTransient: is_transient },
      refusedWhen: when,
      ...(when === "sync" ? {} : { path: [{ status: "failed", afterMs: 20, code, details }] }),
    }),
  ),
  delay_ms: misbehaviour(milliseconds, (delayMs) => ({ delayMs })),
  hang: misbehaviour(yes, () => ({ connection: "hang" })),
  drop_before: misbehaviour(yes, () => ({ connection: "closed" })),
  expire_token: misbehaviour(yes, () => ({ expireToken: true })),
  accept_then_drop: misbehaviour(yes, () => ({ answer: "closed" })),
  accept_then_cut: misbehaviour(yes, () => ({ answer: "cut" })),
  accept_then_hang: misbehaviour(yes, () => ({ answer: "hang" })),
  accept_then_500: misbehaviour(yes, () => ({ answer: "http_500" })),
  malformed_200: misbehaviour(yes, () => ({ answer: "malformed" })),
  late_answer_ms: misbehaviour(milliseconds, (answerDelayMs) => ({ answerDelayMs })),
  wa_id: misbehaviour(z.string().regex(/^\d+$/), (waId) => ({ waId })),
  message_status: misbehaviour(
    z.enum(["accepted", "held_for_quality_assessment", "paused"]),
    (messageStatus) => ({ messageStatus }),
  ),
  status_before_reply: misbehaviour(yes, () => ({ statusBeforeReply: true })),
  statuses: misbehaviour(
    z.array(z.union([z.enum(statusNames).transform((status) => step.parse({ status })), step])),
    (steps) => ({ path: steps.map(({ after_ms, ...rest }) => ({ ...rest, afterMs: after_ms })) }),
  ),
  shuffle: misbehaviour(yes, () => ({ shufflePath: true })),
  pricing: misbehaviour(
    z.strictObject({
      category: z.string().optional(),
      type: z.string().optional(),
      on: z.array(z.enum(statusNames)).optional(),
    }),
    (pricing) => ({ pricing }),
  ),
  signature: misbehaviour(z.enum(signatureModes), (signature, { webhooks }) => ({
    webhooks: { ...webhooks, signature },
  })),
  duplicate_webhooks: misbehaviour(
    z.union([
      z.number().int().min(1).max(100).transform((count) => ({ count, after_ms: 0 })),
      z.strictObject({ count: z.number().int().min(1).max(100), after_ms: milliseconds }),
    ]),
    ({ count, after_ms }, { webhooks }) => ({
      webhooks: { ...webhooks, duplicates: count, duplicateAfterMs: after_ms },
    }),
  ),
};

/** What a rule's `then` may contain: any of the misbehaviours, at least one. */
export const misbehaviourSchema = z.strictObject(
  Object.fromEntries(
    Object.entries(misbehaviours).map(([name, { schema }]) => [
      name,
      schema.optional(),
    ]),
  ),
).refine((then) => Object.keys(then).length > 0, "then must say what to do");

/** The treatment that a rule's `then` asks for. */
export function treatmentOf(then: Record<string, unknown>): Treatment {
  let treatment = ordinaryTreatment;
  for (const [name, value] of Object.entries(then)) {
    treatment = { ...treatment, ...misbehaviours[name]?.treat(value, treatment) };
  }
  return treatment;
}
