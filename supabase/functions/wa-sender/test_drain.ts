import type { Credentials, FoundCredential } from "../_shared/credentials/credentials.ts";
import { DatabaseError } from "../_shared/database.ts";
import type { ClaimedMessage, Settlement } from "../_shared/queue/outbound.ts";
import { createLog } from "../_shared/telemetry/log.ts";
import type { SendOutcome } from "../_shared/whatsapp/send_outcome.ts";
import { NEW_BREAKER } from "../_shared/resilience/breaker.ts";
import type { BreakerAdmission, Breakers } from "../_shared/resilience/breakers.ts";
import type { Admission } from "../_shared/pacing/send_request.ts";
import type { DrainDeps, DrainLimits } from "./drain.ts";

export const LIMITS: DrainLimits = {
  fullBatch: 10,
  reducedBatch: 5,
  highDepth: 1_000,
  lowDepth: 100,
  concurrency: 4,
  concurrencyPerSender: 4,
  maxMessages: 1_000,
  maxDurationMs: 60_000,
  maxIdleMs: 0,
  maxClaimAgeMs: 25_000,
};

export const ACCEPTED: SendOutcome = {
  kind: "accepted",
  wamid: "wamid.1",
  wa_id: null,
  user_id: null,
  message_status: null,
};

export const REFUSED: SendOutcome = {
  kind: "credential_refused",
  code: 190,
  subcode: null,
  title: "Token expired",
  details: null,
  fbtrace_id: null,
  http_status: 401,
  cause: "token_invalid",
  scope: "sender",
  max_tries: 2,
  alert: true,
};

/** The nth message of one sender, to a recipient of its own. */
export function aMessage(nth: number): ClaimedMessage {
  return {
    id: `m${nth}`,
    attempt: 1,
    tenantId: "t1",
    senderId: "s1",
    phoneNumberId: "111",
    businessAccountId: "222",
    credentialVersion: 1,
    recipient: `+1555020000${nth}`,
    type: "text",
    content: { body: "hello" },
    context: null,
    lane: "normal",
    failureCount: 0,
    deferralCount: 0,
    dueAtMs: 0,
    limit: { messages: 80, windowMs: 60_000, isOfSender: false },
    perSecond: 80,
    cacheGeneration: 1,
    depth: 0,
  };
}

/** A drain of these messages, in a world where time passes when nothing else is left to do. */
export function createTestDrain(
  messages: ClaimedMessage[],
  overrides: {
    send?: DrainDeps["send"];
    tokens?: string[];
    nextDueInMs?: () => number | null;
    found?: FoundCredential;
    admission?: Admission;
    breakerOpenUntilMs?: number;
  } = {},
) {
  const waiting = [...messages];
  const settlements: Settlement[] = [];
  const forgotten: string[] = [];
  const lines: string[] = [];
  const clock = { nowMs: 0, uptimeMs: 0 };
  const holds: [senderIds: string[], untilMs: number][] = [];
  const tokens = overrides.tokens ?? ["token"];
  let handOns = 0;
  const credentials: Credentials = {
    find: (senders) =>
      Promise.resolve(
        senders.map(() => overrides.found ?? { found: true, accessToken: tokens[0]! }),
      ),
    forget: ({ senderId }) => {
      forgotten.push(senderId);
      if (tokens.length > 1) tokens.shift();
    },
    statistics: () => ({
      total_requests: 0,
      cache_hits: 0,
      db_hits: 0,
      fallback_hits: 0,
      failures: 0,
      size: 0,
    }),
  };
  const deps: DrainDeps = {
    queue: {
      claim: (batch) => Promise.resolve(waiting.splice(0, batch)),
      settle: (batch) => {
        settlements.push(...batch);
        return Promise.resolve(batch.map(() => true));
      },
      hold: (senderIds, untilMs) => {
        holds.push([senderIds, untilMs]);
        return Promise.resolve();
      },
      nextDueInMs: () => Promise.resolve(overrides.nextDueInMs?.() ?? null),
      handOn: () => {
        handOns += 1;
        return Promise.resolve();
      },
    },
    credentials,
    breakers: breakersThatAre(overrides.breakerOpenUntilMs),
    windows: {
      admit: (requests) =>
        Promise.resolve(requests.map(() => overrides.admission ?? { admitted: true })),
    },
    send: overrides.send ?? (() => Promise.resolve(ACCEPTED)),
    now: () => clock.nowMs,
    uptime: () => clock.uptimeMs,
    random: () => 0,
    // Time passes when nothing else is left to do.
    sleep: async (ms, signal) => {
      await new Promise((resolve) => setTimeout(resolve));
      signal?.throwIfAborted();
      clock.nowMs += ms;
      clock.uptimeMs += ms;
    },
    log: createLog({ write: (line) => lines.push(line), now: () => 0, fields: {} }),
  };
  return { deps, settlements, forgotten, lines, clock, waiting, holds, handOns: () => handOns };
}

/** Closed, or open for the sender until then. */
function breakersThatAre(openUntilMs?: number): Breakers {
  const { generation } = NEW_BREAKER;
  const admissionOf = (scope: string): BreakerAdmission =>
    openUntilMs !== undefined && scope.startsWith("sender:")
      ? { allowed: false, reason: "open", retryAtMs: openUntilMs, generation, decidedBy: "redis" }
      : { allowed: true, generation, probe: false, decidedBy: "redis" };
  return {
    admit: (scopes) => Promise.resolve(new Map([...scopes].map((it) => [it, admissionOf(it)]))),
    report: () => Promise.resolve([]),
  };
}

/** The database did nothing, for this reason. */
export function aRefusal(code: string): DatabaseError {
  return new DatabaseError("Cannot claim_messages: away", { code, unavailable: true });
}

/** Nobody asks to stop. */
export const goOn = { stop: new AbortController().signal };
