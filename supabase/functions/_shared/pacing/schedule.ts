import type { Limit } from "./limits.ts";
import { changePace, countWaiting, dropDeserted, newLines, shiftLines, takePlace } from "./line.ts";
import type { Line, Lines } from "./line.ts";
import { addMoment, dropUntil, newMoments, nthMoment, shiftMoments } from "./moments.ts";
import type { Moments } from "./moments.ts";
import { countInPair, pairMoment } from "./pair.ts";
import type { Pair } from "./pair.ts";

/** What is known of one limit of one tenant or sender. */
export interface LimitState {
  touchedMs: number;
  /** The pace of its lines by then: the step at which they fill the limit; 0 where it was never bound. */
  stepUs: number;
  /** What went within the window: of all lanes, and of the urgent one. */
  all: Moments;
  urgent: Moments;
  /** What will come within a window, for which it is not this limit that made it wait. */
  coming: Moments;
  lines: { urgent: Lines; others: Lines };
}

/** A limit that messages are held to at one moment, and what went against it. */
export interface Bound {
  limit: Limit;
  state: LimitState;
}

/** All that one message is held to. */
export interface Bounds {
  tenant: Bound;
  sender: Bound;
  pair: Pair;
}

/** How a message comes to be sent. */
export interface Asking {
  urgent: boolean;
  /** How many moments it was given before this one: who comes back is not put behind newcomers. */
  deferrals: number;
}

/** It may go now, or what holds it back longest and for how long. */
export type Verdict =
  | { admitted: true }
  | { admitted: false; waitMs: number; by: "tenant" | "sender" | "pair" };

/** A count that may not grow beyond a number, and the pace at which a line to it moves. */
interface Gate {
  moments: Moments;
  /** How many are to be reckoned with beside those that went. */
  coming: number;
  capacity: number;
  pace: number;
}

interface Place {
  atUs: number;
  lines: Lines;
  line: Line;
  waiting: number;
  isFirst: boolean;
}

/** What is coming is kept rounded up to so many parts of a window. */
export const COMING_MOMENTS = 16;

/** Nothing sent so far. */
export function newLimitState(nowMs: number): LimitState {
  return {
    touchedMs: nowMs,
    stepUs: 0,
    all: newMoments(),
    urgent: newMoments(),
    coming: newMoments(),
    lines: { urgent: newLines(), others: newLines() },
  };
}

/**
 * Brings what is known of a limit to this moment, at which decisions follow. A clock that was put back
 * takes what it timed with it: what went stays as recent as it was. Lines to a limit that was changed
 * move at its new pace: nobody stands behind moments that only the one before had named.
 */
export function bind(limit: Limit, state: LimitState, nowMs: number): Bound {
  const backMs = state.touchedMs - nowMs;
  if (backMs > 0) {
    shiftMoments(state.all, backMs);
    shiftMoments(state.urgent, backMs);
    shiftMoments(state.coming, backMs);
    shiftLines(state.lines.urgent, backMs);
    shiftLines(state.lines.others, backMs);
  }
  state.touchedMs = nowMs;
  const step = { beforeUs: state.stepUs, nowUs: stepUs(limit, limit.capacity) };
  if (step.beforeUs > 0 && step.beforeUs !== step.nowUs) {
    changePace(state.lines.urgent, step, nowMs * 1_000);
    changePace(state.lines.others, step, nowMs * 1_000);
  }
  state.stepUs = step.nowUs;
  dropUntil(state.all, nowMs - limit.windowMs);
  dropUntil(state.urgent, nowMs - limit.windowMs);
  dropUntil(state.coming, nowMs - limit.toleranceMs);
  dropDeserted(state.lines.urgent, limit.windowMs, nowMs);
  dropDeserted(state.lines.others, limit.windowMs, nowMs);
  return { limit, state };
}

/**
 * Decides when one message goes, and remembers it. It goes now only where every limit has room in the
 * window that ends now, so that no window of any limit ever holds more than it may. Otherwise it is
 * given the moment at which the last of its limits will have room for it, behind those who wait; only
 * the limits that are near their own moment by then keep a place for it.
 */
export function decide(bounds: Bounds, asking: Asking, nowMs: number): Verdict {
  const nowUs = nowMs * 1_000;
  const tenant = findPlace(bounds.tenant, asking, nowMs);
  const sender = findPlace(bounds.sender, asking, nowMs);
  const pairUs = pairMoment(bounds.pair, nowMs) * 1_000;
  const atUs = Math.max(tenant.atUs, sender.atUs, pairUs);
  if (atUs <= nowUs) {
    count(bounds.tenant, asking, nowMs);
    count(bounds.sender, asking, nowMs);
    countInPair(bounds.pair, nowMs);
    return { admitted: true };
  }
  keepPlace(bounds.tenant, tenant, { nowUs, atUs });
  keepPlace(bounds.sender, sender, { nowUs, atUs });
  const by = tenant.atUs === atUs ? "tenant" : sender.atUs === atUs ? "sender" : "pair";
  return { admitted: false, waitMs: Math.ceil(atUs / 1_000) - nowMs, by };
}

// Newcomers stand behind all that wait, who comes back at the moment that was kept for it behind those
// whose moment could not be kept, and these behind nobody: so nobody is put off for ever.
function findPlace(bound: Bound, asking: Asking, nowMs: number): Place {
  const { limit, state } = bound;
  const gates = gatesOf(bound, asking);
  const lines = asking.urgent ? state.lines.urgent : state.lines.others;
  const nowUs = nowMs * 1_000;
  const pace = { stepUs: stepUs(limit, gates[0]!.pace), toleranceUs: limit.toleranceMs * 1_000 };
  const first = countWaiting(lines.first, pace, nowUs);
  const again = countWaiting(lines.again, pace, nowUs);
  const isNew = asking.deferrals === 0;
  const hasTurn = !isNew || first + again === 0;
  const ahead = asking.deferrals === 1 ? again : 0;
  const place = {
    lines,
    line: isNew ? lines.first : lines.again,
    waiting: isNew ? first : again,
    isFirst: first + again === 0,
  };
  if (!isNew) lines.keptMs = Math.max(lines.keptMs, nowMs);
  if (hasTurn && gates.some((gate) => hasRoom(gate, ahead))) return { ...place, atUs: nowUs };
  const behind = isNew
    ? { waiting: first + again, lastUs: Math.max(lines.first.lastUs, lines.again.lastUs) }
    : { waiting: again, lastUs: lines.again.lastUs };
  // The share is certain, what others leave free is not: a second promise is made of the share alone.
  const sure = isNew ? gates : gates.slice(-1);
  return { ...place, atUs: Math.min(...sure.map((gate) => nextPlace(limit, gate, behind, nowUs))) };
}

function gatesOf({ limit, state }: Bound, { urgent: isUrgent, deferrals }: Asking): Gate[] {
  const { capacity, others, urgentShare } = limit;
  const { all, urgent } = state;
  if (!isUrgent) {
    const coming = deferrals === 0 ? state.coming.total : 0;
    return [{ moments: all, coming, capacity: others, pace: Math.max(1, others - urgent.total) }];
  }
  return [
    { moments: all, coming: 0, capacity, pace: capacity },
    { moments: urgent, coming: 0, capacity: urgentShare, pace: urgentShare },
  ];
}

function hasRoom({ moments, coming, capacity }: Gate, ahead: number): boolean {
  return moments.total + coming + ahead < capacity;
}

// The moment at which the gate has room for all that wait and one more, a step behind the last.
function nextPlace(
  limit: Limit,
  { moments, coming, capacity, pace }: Gate,
  behind: { waiting: number; lastUs: number },
  nowUs: number,
): number {
  const excess = moments.total + coming + behind.waiting + 1 - capacity;
  const leaving = Math.min(moments.total, excess);
  const freeUs = leaving <= 0
    ? nowUs
    : (nthMoment(moments, leaving) + limit.windowMs + limit.toleranceMs) * 1_000;
  const stepped = behind.waiting === 0 ? nowUs : behind.lastUs + stepUs(limit, pace);
  return Math.max(nowUs, freeUs, stepped);
}

function stepUs({ windowMs, toleranceMs }: Limit, pace: number): number {
  return Math.ceil((windowMs + toleranceMs) * 1_000 / pace);
}

function count({ limit, state }: Bound, { urgent }: Asking, nowMs: number): void {
  const atMs = Math.ceil(nowMs / limit.resolutionMs) * limit.resolutionMs;
  addMoment(state.all, atMs);
  if (urgent) addMoment(state.urgent, atMs);
}

// Where the limit's own turn is more than a window before that moment it has nothing to keep: the
// message would stand in the way of others meanwhile.
function keepPlace(
  { limit, state }: Bound,
  place: Place,
  { nowUs, atUs }: { nowUs: number; atUs: number },
): void {
  if (atUs - place.atUs >= limit.windowMs * 1_000) return;
  if (place.atUs > nowUs) takePlace(place.lines, place.line, place);
  else {
    const gridMs = Math.ceil(limit.windowMs / COMING_MOMENTS);
    addMoment(state.coming, Math.ceil(atUs / 1_000 / gridMs) * gridMs);
  }
}
