import type { AcceptedMessage } from "./accepted_message.ts";
import type { Admission } from "./admission.ts";
import { type Answer, jsonAnswer } from "./answer.ts";
import type { Clock } from "../clock.ts";
import type { Customers } from "../phone/customers.ts";
import { isObject } from "./field_rules.ts";
import type { Ids } from "../ids.ts";
import type { MediaLinks } from "./media_links.ts";
import { digitsOf } from "../phone_numbers.ts";
import type { PhoneScreen } from "../phone/phone_screen.ts";
import type { Pricing } from "../webhooks/pricing.ts";
import type { ReceivedLog } from "../script/received_log.ts";
import { noteCall, type Sending } from "./sending.ts";
import { messageType, type SendBody } from "./send_rules.ts";
import type { SettingsHolder } from "../script/settings.ts";
import type { Statuses } from "../webhooks/statuses.ts";
import type { Treatment } from "../script/treatment.ts";

export interface AcceptDeps {
  clock: Clock;
  ids: Ids;
  settings: SettingsHolder;
  customers: Customers;
  received: ReceivedLog;
  statuses: Statuses;
  pricing: Pricing;
  mediaLinks: MediaLinks;
  screen: PhoneScreen;
}

/** Takes a message: from here on its statuses come, whatever the caller gets to see. */
export async function accept(
  deps: AcceptDeps,
  sending: Sending,
  admission: Admission,
  treatment: Treatment,
): Promise<Answer> {
  const message = acceptedMessage(deps, sending, admission, treatment);
  noteCall(deps.received, sending, "accepted", { wamid: message.wamid });
  deps.screen.show(message, sending.body, admission);
  if (message.waId !== null) deps.pricing.answered(message.number, message.waId);

  if (treatment.statusBeforeReply) await deps.statuses.reportFirst(message);
  else void planStatuses(deps, message, sending.body);
  if (treatment.answerDelayMs > 0) await wait(deps.clock, treatment.answerDelayMs);
  return acceptedAnswers[treatment.answer](successText(admission, message));
}

const acceptedAnswers: Record<Treatment["answer"], (text: string) => Answer | Promise<Answer>> = {
  success: (text) => jsonAnswer(200, text),
  closed: () => ({ kind: "closed" }),
  cut: (text) => ({ kind: "cut", text: text.slice(0, text.length >> 1), length: text.length }),
  hang: () => forever(),
  http_500: () => ({ kind: "page", status: 500, text: "<html><body>Sorry</body></html>" }),
  malformed: (text) => jsonAnswer(200, text.slice(0, text.length >> 1)),
};

/** Some failures are told twice: in the answer, and as a status of a message nobody knows. */
export function failUnseen(deps: AcceptDeps, sending: Sending, treatment: Treatment): void {
  const waId = digitsOf(String(sending.body.to ?? ""));
  const admission: Admission = {
    input: waId,
    waId,
    userId: deps.customers.userId(sending.number.portfolioId, waId),
    type: messageType(sending.body),
    category: "service",
    template: undefined,
    sentTemplate: undefined,
    failsWith: null,
  };
  deps.statuses.plan(acceptedMessage(deps, sending, admission, treatment));
}

function acceptedMessage(
  { ids, clock }: AcceptDeps,
  { number, body }: Sending,
  admission: Admission,
  treatment: Treatment,
): AcceptedMessage {
  const waId = treatment.waId ?? admission.waId;
  const opaqueCallback = body.biz_opaque_callback_data;
  return {
    wamid: ids.wamid(waId ?? "0", "from_business"),
    number,
    waId,
    userId: admission.userId,
    type: admission.type,
    category: admission.category,
    opaqueCallback: typeof opaqueCallback === "string" ? opaqueCallback : undefined,
    acceptedAt: clock.now(),
    treatment: failingTreatment(admission, pacedTreatment(admission, treatment)),
    price: null,
    wasDelivered: false,
  };
}

function failingTreatment({ failsWith }: Admission, treatment: Treatment): Treatment {
  if (failsWith === null || treatment.path !== null) return treatment;
  return { ...treatment, path: [{ status: "failed", afterMs: 20, code: failsWith }] };
}

/** Template pacing holds for an hour at most (p99), then lets go or drops. */
const PACING_MS = 3_600_000;

function pacedTreatment({ template }: Admission, treatment: Treatment): Treatment {
  if (template === undefined || template.pacing === "none") return treatment;
  const path: Treatment["path"] = template.pacing === "held_then_dropped"
    ? [{ status: "failed", afterMs: PACING_MS, code: 132015 }]
    : [{ status: "sent", afterMs: PACING_MS }, { status: "delivered", afterMs: 40 }];
  return { ...treatment, path, messageStatus: "held_for_quality_assessment" };
}

function successText({ input, userId, type }: Admission, message: AcceptedMessage): string {
  const contact = {
    input,
    ...(message.waId === null ? {} : { wa_id: message.waId }),
    // Told only to a caller that wrote to a user id.
    ...(input === userId ? { user_id: userId } : {}),
  };
  const messageStatus = message.treatment.messageStatus ?? "accepted";
  return JSON.stringify({
    messaging_product: "whatsapp",
    contacts: [contact],
    messages: [{
      id: message.wamid,
      ...(type === "template" ? { message_status: messageStatus } : {}),
    }],
  });
}

async function planStatuses(
  { statuses, mediaLinks, settings }: AcceptDeps,
  message: AcceptedMessage,
  body: SendBody,
): Promise<void> {
  const content = body[message.type];
  const link = isObject(content) ? content.link : undefined;
  if (!settings.current.fetch_media_links || typeof link !== "string") {
    return statuses.plan(message);
  }
  if (await mediaLinks.isReachable(link)) return statuses.plan(message);
  const path = [{ status: "failed" as const, afterMs: 0, code: 131053 }];
  statuses.plan({ ...message, treatment: { ...message.treatment, path } });
}

export function wait(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => clock.after(delayMs, resolve));
}

/** Never answers: what a client sees whose request got lost. */
export function forever(): Promise<Answer> {
  return new Promise(() => {});
}
