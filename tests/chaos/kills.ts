import type { Size } from "./plan.ts";
import type { Random } from "./random.ts";

/** One `kill -9`. */
export interface PlannedKill {
  afterMs: number;
  /** The function's name and, since it has several processes, which. */
  label: string;
  /** How long after a sign of work: before, in or after the call, or while outcomes are settled. */
  lagMs: number;
}

/** How many processes each function has that is killed. */
export const INSTANCES = { "wa-sender": 3, "wa-inbound": 2, "wa-callbacks": 2 } as const;

const TARGETS = [["wa-sender", 4], ["wa-inbound", 1], ["wa-callbacks", 1]] as const;

/** Spreads the kills over the run, most of them on those who send. */
export function drawKills(size: Size, random: Random): PlannedKill[] {
  const gapMs = size.seconds * 1_000 / size.kills;
  return Array.from({ length: size.kills }, (_, index) => {
    const name = random.pick(TARGETS);
    return {
      afterMs: Math.round((index + random.fraction()) * gapMs),
      label: `${name}#${random.between(0, INSTANCES[name] - 1)}`,
      lagMs: random.between(0, 60),
    };
  });
}
