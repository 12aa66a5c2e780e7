import type { Credentials, FoundCredential } from "../_shared/credentials/credentials.ts";
import type { Admission, SendRequest, SendWindows } from "../_shared/pacing/send_request.ts";
import type { ClaimedMessage, OutboundQueue, Settlement } from "../_shared/queue/outbound.ts";
import { openGate } from "../_shared/resilience/breaker_gate.ts";
import type { BreakerGate, Entry } from "../_shared/resilience/breaker_gate.ts";
import { judgeOutcome } from "../_shared/resilience/breaker_judgement.ts";
import { scopesOf } from "../_shared/resilience/breaker_scopes.ts";
import type { Breakers } from "../_shared/resilience/breakers.ts";
import type { FairPool } from "../_shared/resilience/fair_pool.ts";
import type { SendOutcome } from "../_shared/whatsapp/send_outcome.ts";
import type { Settler } from "./settler.ts";
import { createHolds } from "./holds.ts";
import type { Holds } from "./holds.ts";
import { deferral, settlementOf } from "./settlement.ts";

export interface DispatchDeps {
  credentials: Credentials;
  breakers: Breakers;
  windows: SendWindows;
  queue: Pick<OutboundQueue, "hold">;
  /** One call to the Graph API; what can go wrong is an outcome, not a throw. */
  send: (message: ClaimedMessage, accessToken: string) => Promise<SendOutcome>;
  now: () => number;
  random: () => number;
}

/** Where the messages of a drain are sent and settled. */
export interface Dispatching {
  pool: FairPool;
  settler: Settler;
  /** False once a call that is begun now could outlive the lease, and be made twice. */
  mayCall: () => boolean;
}

/** What is known of one message before its call. */
interface Ready {
  message: ClaimedMessage;
  scopes: string[];
  credential: FoundCredential;
  admission: Admission;
}

/** What the calls of a claim have shown, for those that come after them. */
interface Found {
  holds: Holds;
  /** Which version of a sender's credential was refused. */
  refused: Map<string, number>;
}

const CREDENTIAL_RETRY_MS = 10_000;

/** What was asked for a claim as a whole, before its first call. */
interface Prepared {
  scopes: string[][];
  credentials: FoundCredential[];
  gate: BreakerGate;
  admissions: Admission[];
}

/**
 * Sends the messages of one claim, the senders taking turns, and settles every one of them. Before the
 * calls it asks once each for credentials, breakers and limits; what they hold back is deferred to the
 * moment they name, and held senders are not read again before it.
 */
export async function dispatch(
  deps: DispatchDeps,
  claimed: ClaimedMessage[],
  at: Dispatching,
): Promise<void> {
  const preparing = prepare(deps, claimed);
  const found: Found = { holds: createHolds(deps), refused: new Map() };
  // In the pool from the beginning: who claims next sees that these wait.
  const all = await Promise.allSettled(
    claimed.map(async (message, i) => {
      const { written } = await at.pool.run(poolKeyOf(message), async () => {
        const { scopes, credentials, gate, admissions } = await preparing;
        const [credential, admission] = [credentials[i]!, admissions[i]!];
        await at.settler.whenCaughtUp();
        const ready = { message, scopes: scopes[i]!, credential, admission };
        const settlement = await attempt(deps, gate, ready, at, found);
        // Not awaited here: the next call takes its place and does not wait for the database.
        return { written: at.settler.settle(message, settlement) };
      });
      await written;
    }),
  );
  const { gate } = await preparing;
  await Promise.all([gate.close(), found.holds.written()]);
  const failed = all.find((it) => it.status === "rejected");
  if (failed) throw failed.reason;
}

async function prepare(deps: DispatchDeps, claimed: ClaimedMessage[]): Promise<Prepared> {
  const scopes = claimed.map(scopesOfMessage);
  const generation = Math.max(...claimed.map(({ cacheGeneration }) => cacheGeneration));
  const [credentials, gate, admissions] = await Promise.all([
    deps.credentials.find(claimed, generation),
    openGate(deps.breakers, scopes.flat(), deps.now),
    admit(deps.windows, claimed),
  ]);
  return { scopes, credentials, gate, admissions };
}

// A read receipt is no message for Meta's limits nor for ours, and of no use once it is late.
async function admit(windows: SendWindows, claimed: ClaimedMessage[]): Promise<Admission[]> {
  const paced = claimed.filter(({ type }) => type !== "read");
  const admissions = (await windows.admit(paced.map(sendRequestOf))).values();
  return claimed.map(({ type }) => type === "read" ? { admitted: true } : admissions.next().value!);
}

function scopesOfMessage({ tenantId, senderId, businessAccountId, type, content }: ClaimedMessage) {
  const template = type === "template" ? templateOf(content) : null;
  return scopesOf({ tenantId, senderId, businessAccountId, template });
}

function templateOf(content: unknown): { name: string; language: string } {
  const { name, language } = content as { name: string; language: { code: string } };
  return { name, language: language.code };
}

function sendRequestOf(message: ClaimedMessage): SendRequest {
  const { tenantId, senderId, recipient, limit } = message;
  return {
    tenantId: limit.isOfSender ? `of-sender-${senderId}` : tenantId,
    senderId,
    recipient,
    lane: message.lane,
    deferrals: message.deferralCount,
    tenantLimit: limit,
    senderPerSecond: message.perSecond,
  };
}

// Urgent messages take turns of their own: those of their sender that came before do not stand first.
function poolKeyOf({ senderId, lane }: ClaimedMessage): string {
  return lane === "urgent" ? `urgent:${senderId}` : senderId;
}

async function attempt(
  deps: DispatchDeps,
  gate: BreakerGate,
  { message, scopes, credential, admission }: Ready,
  { mayCall }: Dispatching,
  { holds, refused }: Found,
): Promise<Settlement> {
  const nowMs = deps.now();
  const defer = (by: string, untilMs: number) => deferral(message, by, untilMs, nowMs);
  if (!credential.found) {
    return defer(`credential:${credential.reason}`, nowMs + CREDENTIAL_RETRY_MS);
  }
  if (!admission.admitted) return defer(`limit:${admission.by}`, admission.atMs);
  if (!mayCall()) return defer("lease", nowMs);
  // Due at once: the sender is paused until it has another token.
  if (refused.get(message.senderId) === message.credentialVersion) {
    return defer("credential:refused", nowMs);
  }
  const entry = gate.enter(scopes);
  if (!entry.allowed) {
    if (stopsSender(entry)) holds.note(message.senderId, entry.retryAtMs);
    return defer(`breaker:${entry.scope}`, entry.retryAtMs);
  }
  const outcome = await call(deps, message, credential.accessToken);
  gate.note(scopes, judgeOutcome(outcome));
  if (outcome.kind === "credential_refused") {
    refused.set(message.senderId, message.credentialVersion);
  }
  return settlementOf(message, outcome, deps);
}

// A refused token may have been replaced since it was cached: one more try, with another token only.
async function call(
  { credentials, send }: DispatchDeps,
  message: ClaimedMessage,
  accessToken: string,
): Promise<SendOutcome> {
  const outcome = await send(message, accessToken);
  if (outcome.kind !== "credential_refused") return outcome;
  credentials.forget(message);
  const [found] = await credentials.find([message], message.cacheGeneration);
  const isNew = found?.found && found.accessToken !== accessToken;
  return isNew ? await send(message, found.accessToken) : outcome;
}

// What stops a sender as a whole stops its backlog; what is being probed is decided in a moment.
function stopsSender({ scope, reason }: Extract<Entry, { allowed: false }>): boolean {
  return !scope.startsWith("template:") && reason !== "probing";
}
