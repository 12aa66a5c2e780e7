/** Moments in ascending order, each with how many messages went in it. */
export interface Moments {
  atMs: number[];
  counts: number[];
  total: number;
}

/** No moments. */
export function newMoments(): Moments {
  return { atMs: [], counts: [], total: 0 };
}

/** Adds one message; never before the last moment, so that the order holds. */
export function addMoment(moments: Moments, atMs: number): void {
  const last = moments.atMs.length - 1;
  if (last >= 0 && moments.atMs[last]! >= atMs) moments.counts[last]! += 1;
  else {
    moments.atMs.push(atMs);
    moments.counts.push(1);
  }
  moments.total += 1;
}

/** Forgets the moments up to and with this one. */
export function dropUntil(moments: Moments, untilMs: number): void {
  let dropped = 0;
  while (dropped < moments.atMs.length && moments.atMs[dropped]! <= untilMs) {
    moments.total -= moments.counts[dropped]!;
    dropped += 1;
  }
  if (dropped === 0) return;
  moments.atMs.splice(0, dropped);
  moments.counts.splice(0, dropped);
}

/** The moment of the nth message, from 1 for the oldest; n is at most the total and not 0. */
export function nthMoment(moments: Moments, n: number): number {
  let index = 0;
  let left = n - moments.counts[0]!;
  while (left > 0) {
    index += 1;
    left -= moments.counts[index]!;
  }
  return moments.atMs[index]!;
}

/** Puts all moments earlier, as when the clock was put back. */
export function shiftMoments(moments: Moments, byMs: number): void {
  moments.atMs = moments.atMs.map((atMs) => atMs - byMs);
}
