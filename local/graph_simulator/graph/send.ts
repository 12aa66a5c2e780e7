import { accept, type AcceptDeps, failUnseen, forever, wait } from "./accept.ts";
import { type AdmissionDeps, admit } from "./admission.ts";
import { type Answer, refusalAnswer } from "./answer.ts";
import type { BusinessNumbers } from "./business_numbers.ts";
import type { Refusal } from "./error_bodies.ts";
import { answerRead } from "./read_receipt.ts";
import type { Rules } from "../script/rules.ts";
import {
  type Arrival,
  noteCall,
  openCall,
  sendableOf,
  type SendCall,
  type Sending,
} from "./sending.ts";
import { checkToken } from "./tokens.ts";
import type { Treatment } from "../script/treatment.ts";

export interface SendDeps extends AdmissionDeps, AcceptDeps {
  numbers: BusinessNumbers;
  rules: Rules;
}

/** Answers a send as Meta does, or as the first rule that matches it says. */
export function createSend(deps: SendDeps): (call: SendCall) => Promise<Answer> {
  return async (call) => {
    const opened = openCall(deps, call);
    if (!opened.ok) return refuse(deps, opened.arrival, opened.refusal);
    const { sending } = opened;
    const treatment = deps.rules.treat(sendableOf(sending));
    if (treatment.expireToken && sending.token) sending.number.expiredTokens.add(sending.token);
    if (treatment.delayMs > 0) await wait(deps.clock, treatment.delayMs);
    if (treatment.connection !== "open") return breakOff(deps, sending, treatment.connection);

    const refusal = checkToken(sending.number, sending.token) ?? scriptedRefusal(treatment);
    if (refusal !== null) {
      if (treatment.refusedWhen === "both") failUnseen(deps, sending, treatment);
      return refuse(deps, sending, refusal);
    }
    if (sending.body.status !== undefined) return answerRead(deps, sending);
    const admitted = admit(deps, sending.number, sending.body);
    return admitted.ok
      ? accept(deps, sending, admitted.admission, treatment)
      : refuse(deps, sending, admitted.refusal);
  };
}

function scriptedRefusal({ refusal, refusedWhen }: Treatment): Refusal | null {
  return refusedWhen === "async" ? null : refusal;
}

function refuse({ received, ids }: SendDeps, arrival: Arrival, refusal: Refusal): Answer {
  noteCall(received, arrival, "refused", { code: refusal.code });
  return refusalAnswer(refusal, ids);
}

function breakOff(
  { received }: SendDeps,
  sending: Sending,
  connection: "hang" | "closed",
): Answer | Promise<Answer> {
  noteCall(received, sending, connection === "hang" ? "hung" : "dropped");
  return connection === "hang" ? forever() : { kind: "closed" };
}
