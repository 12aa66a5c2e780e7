/** What a breaker can stand for: whatever Meta may have said an error concerns, or a tenant's endpoint. */
export const SCOPE_KINDS = [
  "app",
  "tenant",
  "business_account",
  "sender",
  "template",
  "callback",
] as const;
export type ScopeKind = typeof SCOPE_KINDS[number];

/** When a breaker opens and how it recovers. */
export interface BreakerSettings {
  /** Opens after so many failures with no success between them. */
  failuresInARow: number;
  /** Or when this share of the window's requests failed … */
  failureRatePercent: number;
  /** … of at least so many. */
  minimumRequests: number;
  windowMs: number;
  openMs: number;
  /** Failed probes lengthen the pause up to here: never does it last for ever. */
  maxOpenMs: number;
  /** The one probe's answer is waited for so long: longer than a call may take. */
  probeLeaseMs: number;
  /** Through how many narrower scopes failures must be seen before this one is held guilty. */
  witnesses: 1 | 2;
}

/** 5 failures in a row, or 30 % of at least 5 within 30 s; open for 60 s (R18, R19). */
const USUAL: BreakerSettings = {
  failuresInARow: 5,
  failureRatePercent: 30,
  minimumRequests: 5,
  windowMs: 30_000,
  openMs: 60_000,
  maxOpenMs: 5 * 60_000,
  probeLeaseMs: 15_000,
  witnesses: 1,
};

/** The settings of each kind of breaker. */
export const BREAKER_SETTINGS: Readonly<Record<ScopeKind, BreakerSettings>> = {
  // It stops everybody. One tenant whose calls all hang says nothing about Meta, nor do two that have
  // one bad call each while little else is sent.
  app: { ...USUAL, failuresInARow: 10, minimumRequests: 20, witnesses: 2 },
  tenant: USUAL,
  business_account: USUAL,
  // What fails here without a pause that Meta names is too fast, which is over within seconds.
  sender: { ...USUAL, openMs: 10_000 },
  template: USUAL,
  // One conversation that its endpoint refuses says nothing about the others.
  callback: { ...USUAL, failureRatePercent: 50, minimumRequests: 10, openMs: 30_000, witnesses: 2 },
};

/** The window moves on in so many steps: it reaches back by 9 to 10 tenths of its length. */
export const WINDOW_SLOTS = 10;
/** So much longer is each pause that follows a failed probe. */
export const OPEN_GROWTH = 1.5;
/** Up to so much is added to these, so that breakers that opened together do not probe together. */
export const OPEN_JITTER_PERCENT = 10;
/** However long Meta asks to pause: the longest that it announces is a day. */
export const MAX_PAUSE_MS = 24 * 60 * 60_000;
/** What a probe holds back asks again so soon: most calls are answered by then. */
export const PROBE_WAIT_MS = 3_000;
/** What an operator holds back asks again so soon. */
export const ISOLATED_WAIT_MS = 60_000;
/** A breaker that nobody uses for so long is forgotten: closed. */
export const KEEP_MS = 60 * 60_000;
