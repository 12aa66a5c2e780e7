/** When most tests begin: noon of a Sunday, UTC. */
export const NOW = new Date("2026-11-22T12:00:00Z");

/** So many milliseconds after that. */
export function later(ms: number): Date {
  return new Date(NOW.getTime() + ms);
}
