import type { PlannedMessage, Size } from "./plan.ts";
import type { Random } from "./random.ts";

/** What befalls one call to the Graph API: the nth one for this recipient. */
export interface CallFault {
  kind: FaultKind;
  to: string;
  /** Counts the calls to the recipient that no earlier fault took, from 0. */
  skip: number;
  then: Record<string, unknown>;
}

/** The kinds of faults, with the part of the calls that each befalls in percent. */
const FAULT_PERCENT = {
  /** Accepted, and the answer never comes. */
  answer_lost: 2,
  /** Accepted at once, answered late. */
  answered_late: 20,
  /** Read at once, accepted late. */
  accepted_late: 8,
  /** The first status comes before the answer. */
  status_first: 1,
  /** Not accepted, and may be tried again. */
  refused: 3,
  /** Not accepted, and never will be. */
  refused_for_good: 0.4,
} as const;
export type FaultKind = keyof typeof FAULT_PERCENT;

/** Meta's code for a message that cannot be delivered: the one that this run refuses for good. */
export const UNDELIVERABLE = 131026;

const KINDS = Object.entries(FAULT_PERCENT) as [FaultKind, number][];
const NO_FAULT = 100 - KINDS.reduce((sum, [, percent]) => sum + percent, 0);

/** Decides for each call, were every message called for once, what goes wrong with it. */
export function drawCallFaults(
  messages: readonly PlannedMessage[],
  size: Size,
  random: Random,
): CallFault[] {
  const drawn = new Map<string, number>();
  return messages.flatMap(({ to, nth }) => {
    const kind = random.pick<FaultKind | null>([...KINDS, [null, NO_FAULT]]);
    if (kind === null) return [];
    const earlier = drawn.get(to) ?? 0;
    drawn.set(to, earlier + 1);
    // A call that an earlier rule took is not seen by this one.
    return [{ kind, to, skip: nth - earlier, then: drawMisbehaviour(kind, size, random) }];
  });
}

function drawMisbehaviour(kind: FaultKind, size: Size, random: Random): Record<string, unknown> {
  switch (kind) {
    case "answer_lost": {
      const ways = [
        ["accept_then_drop", 4],
        ["accept_then_500", 3],
        ["accept_then_cut", 2],
        ["malformed_200", 1],
        ["accept_then_hang", size.hangs ? 1 : 0],
      ] as const;
      return { [random.pick(ways)]: true };
    }
    case "answered_late":
      return { late_answer_ms: random.between(50, 2_500) };
    case "accepted_late":
      return { delay_ms: random.between(50, 2_500) };
    case "status_first":
      return { status_before_reply: true, late_answer_ms: random.between(0, 500) };
    case "refused":
      return {
        error: random.pick([
          [{ code: 131056 }, 2],
          [{ code: 2, http: 503, is_transient: true }, 1],
          [{ code: 131000 }, 2],
        ]),
      };
    case "refused_for_good":
      return { error: { code: UNDELIVERABLE } };
  }
}
