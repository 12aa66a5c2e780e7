import type { Refusal } from "../graph/error_bodies.ts";
import type { SignatureMode } from "../webhooks/signature.ts";

/** The states that a status webhook may report. */
export const statusNames = ["sent", "delivered", "read", "failed", "played"] as const;
export type StatusName = (typeof statusNames)[number];

/** One status on a scripted path; `afterMs` counts from the step before. */
export interface StatusStep {
  status: StatusName;
  afterMs: number;
  code?: number | undefined;
  details?: string | undefined;
}

/** How the webhooks of one message are delivered; null stands for what the settings say. */
export interface WebhookTreatment {
  signature: SignatureMode | null;
  duplicates: number | null;
  duplicateAfterMs: number;
}

/** What the price of a message shall say instead of what the rules of pricing make of it. */
export interface PricingTreatment {
  category?: string | undefined;
  type?: string | undefined;
  on?: readonly StatusName[] | undefined;
}

/** What the caller sees after its message was accepted. */
export type AcceptedAnswer = "success" | "closed" | "cut" | "hang" | "http_500" | "malformed";

/** Everything that can be done to one send; a rule replaces some of it. */
export interface Treatment {
  delayMs: number;
  connection: "open" | "hang" | "closed";
  refusal: Refusal | null;
  refusedWhen: "sync" | "async" | "both";
  expireToken: boolean;
  answer: AcceptedAnswer;
  answerDelayMs: number;
  waId: string | null;
  messageStatus: string | null;
  statusBeforeReply: boolean;
  path: readonly StatusStep[] | null;
  shufflePath: boolean;
  pricing: PricingTreatment;
  webhooks: WebhookTreatment;
}

/** Meta on a good day. */
export const ordinaryTreatment: Treatment = Object.freeze({
  delayMs: 0,
  connection: "open",
  refusal: null,
  refusedWhen: "sync",
  expireToken: false,
  answer: "success",
  answerDelayMs: 0,
  waId: null,
  messageStatus: null,
  statusBeforeReply: false,
  path: null,
  shufflePath: false,
  pricing: {},
  webhooks: { signature: null, duplicates: null, duplicateAfterMs: 0 },
});
