import { senderLimit, tenantLimit } from "./limits.ts";
import type { Limit } from "./limits.ts";
import { newPair } from "./pair.ts";
import { bind, decide, newLimitState } from "./schedule.ts";
import type { Asking, Verdict } from "./schedule.ts";

export const START_MS = 1_800_000_000_000;
export const NEWCOMER: Asking = { urgent: false, deferrals: 0 };
export const URGENT: Asking = { urgent: true, deferrals: 0 };
export const COME_BACK: Asking = { urgent: false, deferrals: 1 };
export const COME_BACK_AGAIN: Asking = { urgent: false, deferrals: 2 };

/** One tenant with one sender, each message to a recipient of its own. */
export function createSchedule(limits: { tenant?: Limit; sender?: Limit } = {}) {
  const inForce = {
    tenant: limits.tenant ?? tenantLimit({ messages: 80, windowMs: 60_000 }),
    sender: limits.sender ?? senderLimit(1_000),
  };
  const clock = { nowMs: START_MS };
  const tenant = newLimitState(START_MS);
  const sender = newLimitState(START_MS);
  const ask = (asking: Asking = NEWCOMER, pair = newPair()): Verdict =>
    decide(
      {
        tenant: bind(inForce.tenant, tenant, clock.nowMs),
        sender: bind(inForce.sender, sender, clock.nowMs),
        pair,
      },
      asking,
      clock.nowMs,
    );
  const askMany = (count: number, asking?: Asking) =>
    Array.from({ length: count }, () => ask(asking));
  const admitted = (count: number, asking?: Asking) =>
    askMany(count, asking).filter((verdict) => verdict.admitted).length;
  return { clock, inForce, ask, askMany, admitted };
}

/** How long each has to wait; 0 for those that may go. */
export function waitsOf(verdicts: Verdict[]): number[] {
  return verdicts.map((verdict) => verdict.admitted ? 0 : verdict.waitMs);
}
