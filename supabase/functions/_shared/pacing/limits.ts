/** How many messages may go in any stretch of time, and how lanes share that. */
export interface Limit {
  /** All lanes together; what urgent ones may use as long as it is free. */
  capacity: number;
  /** Other lanes go while fewer than this many messages of all lanes went in the window. */
  others: number;
  /** Urgent ones go while fewer than this many of their own went, however full the window is. */
  urgentShare: number;
  windowMs: number;
  /** How much earlier or later than another a message may come at its moment and still pass. */
  toleranceMs: number;
  /** Moments are kept rounded up to this, which bounds what a window of any limit takes. */
  resolutionMs: number;
}

/** This part of a tenant's limit is for urgent messages beyond what others use; at least one message. */
const TENANT_URGENT_PART = 1 / 5;
/**
 * This part of a sender's limit is kept free for urgent messages. Slots pace the others at four fifths
 * of it, with bursts of an eighth of a second: that is nine tenths in any second.
 */
const SENDER_URGENT_PART = 1 / 10;
/** How exactly messages come at their moments, as a part of the window: a full line is that much slower. */
const TENANT_TOLERANCE = 1 / 100;
const SENDER_TOLERANCE = 1 / 20;
const MAX_MOMENTS = 240;
const SECOND_MS = 1_000;

/**
 * A tenant's limit is ours: others may use all of it, urgent ones go beyond by their share. In any
 * window at most `messages` + the urgent share go, and at most `messages` unless both kinds do.
 */
export function tenantLimit(wanted: { messages: number; windowMs: number }, part = 1): Limit {
  const { capacity, windowMs } = takePart(wanted, part);
  return {
    capacity,
    others: capacity,
    urgentShare: Math.max(1, Math.floor(capacity * TENANT_URGENT_PART)),
    windowMs,
    toleranceMs: Math.max(1, Math.floor(windowMs * TENANT_TOLERANCE)),
    resolutionMs: resolutionOf(capacity, windowMs),
  };
}

/**
 * A sender's limit is Meta's: others leave the urgent share free, so that no second holds more than
 * `perSecond`. At one a second there is nothing to share: one of each kind may go.
 */
export function senderLimit(perSecond: number, part = 1): Limit {
  const { capacity, windowMs } = takePart({ messages: perSecond, windowMs: SECOND_MS }, part);
  const urgentShare = Math.max(1, Math.floor(capacity * SENDER_URGENT_PART));
  return {
    capacity,
    others: Math.max(1, capacity - urgentShare),
    urgentShare,
    windowMs,
    toleranceMs: Math.max(1, Math.floor(windowMs * SENDER_TOLERANCE)),
    resolutionMs: resolutionOf(capacity, windowMs),
  };
}

// A part of less than one message is one message in a longer window.
function takePart(wanted: { messages: number; windowMs: number }, part: number) {
  const messages = Math.max(1, Math.floor(wanted.messages)) * part;
  const windowMs = wanted.windowMs / Math.min(1, messages);
  return {
    capacity: Math.max(1, Math.floor(messages)),
    windowMs: Math.max(1, Math.floor(windowMs)),
  };
}

function resolutionOf(capacity: number, windowMs: number): number {
  return capacity > MAX_MOMENTS ? Math.ceil(windowMs / MAX_MOMENTS) : 1;
}
