/** What went from one sender to one recipient: when the last burst began, and how many it has. */
export interface Pair {
  burstAtMs: number;
  count: number;
}

/**
 * Meta's rate for one recipient: a message every 6 s, and up to 45 in one stretch of 6 s, after which
 * nothing goes until they would have gone one by one (20 messages: 2 minutes).
 * https://developers.facebook.com/documentation/business-messaging/whatsapp/throughput (2026-09)
 */
export const PAIR_INTERVAL_MS = 6_000;
export const PAIR_BURST = 45;

/** Nothing sent so far. */
export function newPair(): Pair {
  return { burstAtMs: 0, count: 0 };
}

/** The first moment at which the next message may go: now, or when the burst is paid back. */
export function pairMoment(pair: Pair, nowMs: number): number {
  if (pair.burstAtMs > nowMs) pair.burstAtMs = nowMs; // the clock was put back
  const isInBurst = nowMs < pair.burstAtMs + PAIR_INTERVAL_MS && pair.count < PAIR_BURST;
  return isInBurst ? nowMs : Math.max(nowMs, paidBackAt(pair));
}

/** Counts a message that goes now, at a moment that the pair allows. */
export function countInPair(pair: Pair, nowMs: number): void {
  if (pair.count === 0 || nowMs >= paidBackAt(pair)) {
    pair.burstAtMs = nowMs;
    pair.count = 0;
  }
  pair.count += 1;
}

function paidBackAt(pair: Pair): number {
  return pair.count === 0 ? 0 : pair.burstAtMs + pair.count * PAIR_INTERVAL_MS;
}
