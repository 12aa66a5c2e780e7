import type { AcceptedMessage } from "../graph/accepted_message.ts";
import type { Admission } from "../graph/admission.ts";
import type { ChatMessage, Chats, FilledTemplate, Tick } from "./chats.ts";
import { describeError } from "../graph/error_table.ts";
import { waIdOfWamid } from "../ids.ts";
import type { SendBody } from "../graph/send_rules.ts";
import { fillTemplate } from "../graph/templates.ts";
import type { StatusStep } from "../script/treatment.ts";

/** Shows on the customer's phone what a business does. */
export interface PhoneScreen {
  show(message: AcceptedMessage, body: SendBody, admission: Admission): void;
  showStatus(message: AcceptedMessage, step: StatusStep, at: number): void;
  /** The business has read, and perhaps begins to type an answer. */
  markRead(phoneNumberId: string, wamid: string, isTyping: boolean): void;
}

const TICK_RANK: readonly Tick[] = ["pending", "accepted", "sent", "delivered", "read"];

export function createPhoneScreen(chats: Chats): PhoneScreen {
  return {
    show(message, body, admission) {
      // Who is known by a user id alone has no phone here.
      if (message.waId === null) return;
      const { phoneNumberId } = message.number;
      if (message.type === "reaction") {
        const { message_id, emoji } = body.reaction as { message_id: string; emoji: string };
        return chats.change(message.waId, phoneNumberId, message_id, (target) => {
          if (emoji) target.reactions.business = emoji;
          else delete target.reactions.business;
        });
      }
      chats.add(message.waId, phoneNumberId, chatMessage(message, body, admission));
    },
    showStatus({ wamid, waId, number }, step, at) {
      if (waId === null) return;
      chats.change(waId, number.phoneNumberId, wamid, (message) => {
        message.timeline.push({ status: step.status, at });
        message.tick = laterTick(message.tick, step.status === "played" ? "read" : step.status);
        if (step.status !== "failed") return;
        const code = step.code ?? 131000;
        message.error = `${code}: ${step.details ?? describeError(code).title}`;
      });
    },
    markRead(phoneNumberId, wamid, isTyping) {
      const waId = waIdOfWamid(wamid);
      if (waId === null) return;
      // Meta marks what came before it as well.
      const messages = chats.of(waId).find((it) => it.phone_number_id === phoneNumberId)?.messages;
      const place = messages?.findIndex(({ id }) => id === wamid) ?? -1;
      for (const { id, direction, tick } of messages?.slice(0, place + 1) ?? []) {
        if (direction === "from_business" || tick === "read" || tick === "failed") continue;
        chats.change(waId, phoneNumberId, id, (message) => void (message.tick = "read"));
      }
      if (isTyping) chats.typing(waId, phoneNumberId);
    },
  };
}

/** Ticks do not go back; a failure is always shown. */
function laterTick(now: Tick, next: Tick): Tick {
  if (next === "failed") return next;
  return TICK_RANK.indexOf(next) > TICK_RANK.indexOf(now) ? next : now;
}

function chatMessage(
  message: AcceptedMessage,
  body: SendBody,
  admission: Admission,
): ChatMessage {
  const context = body.context as { message_id?: string } | undefined;
  const filled = filledTemplate(admission);
  return {
    id: message.wamid,
    direction: "from_business",
    at: message.acceptedAt,
    type: message.type,
    content: body[message.type],
    context_id: context?.message_id ?? null,
    tick: "accepted",
    error: null,
    reactions: {},
    timeline: [{ status: "accepted", at: message.acceptedAt }],
    ...(filled === null ? {} : { template: filled }),
  };
}

function filledTemplate({ template, sentTemplate }: Admission): FilledTemplate | null {
  if (template === undefined || sentTemplate === undefined) return null;
  const parametersOf = (type: string) =>
    sentTemplate.components?.find((one) => one.type.toLowerCase() === type)?.parameters ?? [];
  const { header, body, footer, buttons } = template;
  return {
    header: header?.text === undefined ? null : fillTemplate(header.text, parametersOf("header")),
    body: fillTemplate(body, parametersOf("body")),
    footer: footer ?? null,
    buttons,
  };
}
