import type { Clock } from "../clock.ts";

/**
 * Lets time pass from one planned moment to the next, and everything that a moment sets off be
 * answered before the next comes: so a week of retries has the gaps that it would really have.
 */
export async function travel(
  clock: Clock,
  byMs: number,
  answered: () => Promise<unknown>,
): Promise<void> {
  const target = clock.now() + byMs;
  await answered();
  while (true) {
    const leftMs = target - clock.now();
    const nextMs = clock.untilNextMs();
    if (nextMs === null || nextMs > leftMs) {
      clock.advance(Math.max(leftMs, 0));
      await answered();
      return;
    }
    clock.advance(nextMs);
    await answered();
  }
}
