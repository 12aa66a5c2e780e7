import type { SendOutcome } from "../whatsapp/send_outcome.ts";
import type { ScopeKind } from "./breaker_settings.ts";

/** What one answer says of the breakers on its way: the path as far as it worked, and where it broke. */
export interface Judgement {
  succeeded: readonly ScopeKind[];
  failed: readonly ScopeKind[];
  /** How long Meta asks to leave what failed alone; 0: it does not. */
  pauseMs: number;
  /** Meta itself named what failed. */
  named: boolean;
  /** Through what it was seen to fail, where that is not the tenant. */
  witness?: string;
}

/** The way of a message: where an answer breaks off, it got past all that comes before. */
const WAY: readonly ScopeKind[] = ["app", "tenant", "business_account", "sender", "template"];

/**
 * Meta, or what lies between, failed without saying whose call it was. What all of a tenant's calls
 * suffer is the tenant's; what the calls of several tenants suffer is everybody's.
 */
const UNEXPLAINED: ReadonlySet<string> = new Set([
  "api_unknown",
  "api_unavailable",
  "service_unavailable",
  "something_went_wrong",
  "transient",
  "server_error",
  "unexpected_answer",
  "network_error",
]);

/** We broke the call off ourselves, as when the isolate ends. */
const ABORTED = "aborted";

const NOTHING_SAID: Judgement = { succeeded: [], failed: [], pauseMs: 0, named: false };
const ALL_WELL: Judgement = { ...NOTHING_SAID, succeeded: WAY };
/** What stops a refused token is the pause of its sender, which ends with another token and not before. */
const OF_NO_BREAKER: Judgement = { ...NOTHING_SAID, succeeded: ["app"] };

/**
 * Says of which scopes an outcome is a failure (R19's failure test). A message or recipient that is
 * refused is none: the answer came, and for all scopes the way was open.
 */
export function judgeOutcome(outcome: SendOutcome): Judgement {
  switch (outcome.kind) {
    case "accepted":
      return ALL_WELL;
    case "unknown":
      return outcome.reason === ABORTED ? NOTHING_SAID : unexplained();
    case "credential_refused":
      return OF_NO_BREAKER;
    case "rejected":
      return outcome.pause_ms === null ? ALL_WELL : brokenAt(outcome.scope, outcome.pause_ms);
    case "retry":
      if (UNEXPLAINED.has(outcome.cause)) return unexplained();
      return brokenAt(outcome.scope, outcome.pause_ms ?? 0);
  }
}

function unexplained(): Judgement {
  return { ...NOTHING_SAID, failed: ["app", "tenant"] };
}

// Pairs have their own pacing, and what concerns nobody broke nowhere.
function brokenAt(scope: ScopeKind | "pair" | "none", pauseMs: number): Judgement {
  if (scope === "pair" || scope === "none") return ALL_WELL;
  return { succeeded: WAY.slice(0, WAY.indexOf(scope)), failed: [scope], pauseMs, named: true };
}
