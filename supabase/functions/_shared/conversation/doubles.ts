import { isOfCustomer, MAX_TEXT_CHARACTERS } from "./event.ts";
import type { ConversationEvent } from "./event.ts";
import type { Doubles } from "./machine.ts";

/** A step with the event that it is; `at` is when it happened, in epoch milliseconds. */
export interface PendingStep {
  id: number;
  at: number;
  event: ConversationEvent;
}

/** What to do next with what waits: take some of it as one event, or let it wait for more. */
export type Next =
  | { do: "take"; steps: PendingStep[]; event: ConversationEvent }
  | { do: "wait"; until: number };

/** Decides on the first of what waits, which is not empty, by the policy of the state. */
export function takeNext(waiting: PendingStep[], doubles: Doubles, now: number): Next {
  const first = waiting[0]!;
  if (doubles.policy === "queue") return { do: "take", steps: [first], event: first.event };
  const joins = doubles.policy === "merge" ? isText : isOfCustomer;
  const end = waiting.findIndex(({ event }) => !joins(event));
  const run = waiting.slice(0, end < 0 ? waiting.length : end);
  if (run.length === 0) return { do: "take", steps: [first], event: first.event };
  const last = run.at(-1)!;
  const until = Math.min(last.at + doubles.wait_ms, first.at + doubles.most_ms);
  // A tap says all that there is to say; and what follows another event is not waited for.
  const isComplete = end >= 0 || !isText(last.event) || now >= until;
  if (!isComplete) return { do: "wait", until };
  return {
    do: "take",
    steps: run,
    event: doubles.policy === "merge" ? merge(run) : last.event,
  };
}

function isText({ type }: ConversationEvent): boolean {
  return type === "customer.wrote";
}

function merge(run: PendingStep[]): ConversationEvent {
  const texts = run.flatMap(({ event }) => (event.type === "customer.wrote" ? [event] : []));
  const text = texts.map((event) => event.text).join("\n").slice(0, MAX_TEXT_CHARACTERS);
  return { type: "customer.wrote", text, wamid: texts.at(-1)!.wamid };
}
