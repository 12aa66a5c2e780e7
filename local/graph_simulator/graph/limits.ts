import type { Refusal } from "./error_bodies.ts";
import type { BusinessNumber } from "./business_numbers.ts";
import { RecentMap } from "../recent_map.ts";
import type { Settings } from "../script/settings.ts";

/** Meta's rates: one message per 6 s to one user, bursts of 45 borrowed against later quota. */
const PAIR_INTERVAL_MS = 6_000;
const PAIR_BURST = 45;
const DAY_MS = 86_400_000;
const REMEMBERED_PAIRS = 200_000;

/** Decides whether a send is within Meta's limits, and counts it when it is. */
export interface Limits {
  check(number: BusinessNumber, waId: string, limits: Settings["limits"]): Refusal | null;
  /** A customer's message opens a 24 h window, in which they do not count against the user limit. */
  openWindow(number: BusinessNumber, waId: string): void;
  isWindowOpen(number: BusinessNumber, waId: string): boolean;
  clear(): void;
}

export function createLimits(now: () => number): Limits {
  const numbers = new RecentMap<string, number>(REMEMBERED_PAIRS);
  const pairs = new RecentMap<string, number>(REMEMBERED_PAIRS);
  const lastInbound = new RecentMap<string, number>(REMEMBERED_PAIRS);
  const portfolios = new Map<string, RecentMap<string, number>>();

  const pairOf = (number: BusinessNumber, waId: string) => `${number.phoneNumberId}/${waId}`;
  const isWindowOpen = (number: BusinessNumber, waId: string) =>
    now() - (lastInbound.get(pairOf(number, waId)) ?? -Infinity) < DAY_MS;

  function withinDailyUsers(number: BusinessNumber, waId: string, limit: number): boolean {
    let users = portfolios.get(number.portfolioId);
    if (users === undefined) {
      portfolios.set(number.portfolioId, users = new RecentMap(REMEMBERED_PAIRS));
    }
    for (const [user, at] of users.entries()) {
      if (now() - at < DAY_MS) break;
      users.delete(user);
    }
    if (users.get(waId) === undefined && users.size >= limit) return false;
    // Not touched again: the day counts from the first message to this user.
    if (users.get(waId) === undefined) users.set(waId, now());
    return true;
  }

  return {
    check(number, waId, limits) {
      const http = limits.rate_error_http;
      if (now() < number.maintenanceUntil) return { code: 131057 };
      const mps = number.throughputMps ?? limits.throughput_mps;
      if (mps !== null && !conform(numbers, number.phoneNumberId, 1_000 / mps, mps, now())) {
        return { code: 130429, http };
      }
      const pair = pairOf(number, waId);
      if (limits.pair && !conform(pairs, pair, PAIR_INTERVAL_MS, PAIR_BURST, now())) {
        return { code: 131056, http };
      }
      const users = limits.daily_users;
      if (users === null || isWindowOpen(number, waId)) return null;
      return withinDailyUsers(number, waId, users) ? null : { code: limits.daily_users_code };
    },
    openWindow: (number, waId) => lastInbound.set(pairOf(number, waId), now()),
    isWindowOpen,
    clear() {
      for (const map of [numbers, pairs, lastInbound, portfolios]) map.clear();
    },
  };
}

/**
 * The generic cell rate algorithm: `fullAt` holds the moment at which a key's bucket is full
 * again. A bucket of n, refilled every interval, lets n through at once.
 */
function conform(
  fullAt: RecentMap<string, number>,
  key: string,
  intervalMs: number,
  burst: number,
  now: number,
): boolean {
  const from = Math.max(fullAt.get(key) ?? now, now);
  if (from + intervalMs - now > burst * intervalMs + 1e-6) return false;
  fullAt.set(key, from + intervalMs);
  return true;
}
