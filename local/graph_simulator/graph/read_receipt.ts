import { type Answer, jsonAnswer, refusalAnswer } from "./answer.ts";
import type { Ids } from "../ids.ts";
import type { PhoneScreen } from "../phone/phone_screen.ts";
import type { ReceivedLog } from "../script/received_log.ts";
import { checkReadBody } from "./send_rules.ts";
import { noteCall, type Sending } from "./sending.ts";

/** Answers a mark-as-read or typing body, and shows it on the customer's phone. */
export function answerRead(
  deps: { received: ReceivedLog; screen: PhoneScreen; ids: Ids },
  sending: Sending,
): Answer {
  const refusal = checkReadBody(sending.body);
  if (refusal !== null) {
    noteCall(deps.received, sending, "refused", { code: refusal.code });
    return refusalAnswer(refusal, deps.ids);
  }
  const wamid = String(sending.body.message_id);
  noteCall(deps.received, sending, "accepted", { wamid });
  deps.screen.markRead(sending.phoneNumberId, wamid, sending.body.typing_indicator !== undefined);
  return jsonAnswer(200, JSON.stringify({ success: true }));
}
