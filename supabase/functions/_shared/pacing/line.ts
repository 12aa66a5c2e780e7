/** Messages that wait for moments given to them, one after the other at an even pace. */
export interface Line {
  /** The last moment given, in microseconds: at 1,000 a second, places are closer than milliseconds. */
  lastUs: number;
  waiting: number;
}

/** The lines of one kind of lane at one limit. */
export interface Lines {
  /** Those that were given a moment once. */
  first: Line;
  /** Those whose moment could not be kept: they stand before all newcomers. */
  again: Line;
  /** When somebody last came back from these lines, or is to come back first. */
  keptMs: number;
}

/** Nobody came back for at least this long: the lines are deserted. */
export const MIN_DESERTED_MS = 30_000;

/** Nobody waits. */
export function newLines(): Lines {
  return { first: newLine(), again: newLine(), keptMs: 0 };
}

/** Puts a line's next message at this moment. */
export function takePlace(lines: Lines, line: Line, places: TakenPlace): void {
  if (places.isFirst) lines.keptMs = Math.max(lines.keptMs, Math.ceil(places.atUs / 1_000));
  line.lastUs = places.atUs;
  line.waiting = places.waiting + 1;
}

/** What a place in a line was reckoned from. */
export interface TakenPlace {
  atUs: number;
  /** How many wait in that line. */
  waiting: number;
  /** Nobody waits in any line of this kind. */
  isFirst: boolean;
}

/**
 * How many of a line still wait. Whose moment has passed is not waited for any longer; that is seen by
 * the clock, so that messages which never come back hold nothing up for good.
 */
export function countWaiting(
  line: Line,
  pace: { stepUs: number; toleranceUs: number },
  nowUs: number,
): number {
  const aheadUs = line.lastUs + pace.toleranceUs - nowUs;
  if (aheadUs <= 0) line.waiting = 0;
  return Math.min(line.waiting, Math.ceil(Math.max(0, aheadUs) / pace.stepUs));
}

/** Forgets lines that nobody has come back from for two windows: their messages are gone. */
export function dropDeserted(lines: Lines, windowMs: number, nowMs: number): void {
  if (nowMs <= lines.keptMs + Math.max(2 * windowMs, MIN_DESERTED_MS)) return;
  lines.first.waiting = 0;
  lines.again.waiting = 0;
}

/** Brings the moments that are still to come to another pace: the limit was changed. */
export function changePace(
  lines: Lines,
  step: { beforeUs: number; nowUs: number },
  nowUs: number,
): void {
  for (const line of [lines.first, lines.again]) {
    const aheadUs = line.lastUs - nowUs;
    if (aheadUs > 0) line.lastUs = nowUs + Math.floor(aheadUs * step.nowUs / step.beforeUs);
  }
}

/** Puts all moments earlier, as when the clock was put back. */
export function shiftLines(lines: Lines, byMs: number): void {
  lines.first.lastUs -= byMs * 1_000;
  lines.again.lastUs -= byMs * 1_000;
  lines.keptMs -= byMs;
}

function newLine(): Line {
  return { lastUs: 0, waiting: 0 };
}
