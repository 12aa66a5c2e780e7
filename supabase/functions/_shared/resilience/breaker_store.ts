import type { Redis } from "@upstash/redis";
import { BREAKER_STATES } from "./breaker.ts";
import type { Breaker } from "./breaker.ts";
import { decodeBreaker } from "./breaker_format.ts";
import { kindOf } from "./breaker_scopes.ts";
import {
  ADMIT_SCRIPT,
  INDEX_KEY,
  KEY_PREFIX,
  REPORT_SCRIPT,
  STEER_SCRIPT,
  VERDICTS,
} from "./breaker_script.ts";
import { BREAKER_SETTINGS, SCOPE_KINDS } from "./breaker_settings.ts";
import type { BreakerSettings } from "./breaker_settings.ts";
import { statisticsOf } from "./breaker_statistics.ts";
import type { BreakerStatistics } from "./breaker_statistics.ts";
import type { BreakerAdmission, BreakerChange, BreakerResult, BreakerStore } from "./breakers.ts";

/** What is used of the client of Redis. */
export type BreakerRedis = Pick<Redis, "createScript" | "zrange" | "mget" | "time">;

/** The shared breakers, and what an operator does with them. Each call throws when Redis does. */
export interface SharedBreakers extends BreakerStore {
  /** The breakers in use, the troubled ones first; at most 1,000. */
  list(): Promise<BreakerStatistics[]>;
  /** Closes a breaker; null where there is none. */
  reset(scope: string): Promise<BreakerStatistics | null>;
  /** Holds everything of the scope back until it is reset. */
  isolate(scope: string): Promise<BreakerStatistics>;
}

/** More keys than a script may take at once are asked for in several, still in one round trip. */
const MAX_KEYS = 1_000;
const SETTINGS_LINES = SCOPE_KINDS.map((kind) => settingsLine(BREAKER_SETTINGS[kind])).join(";");

/** Breakers in Redis: every decision is one atomic script on the clock of Redis. */
export function createBreakerStore(
  { redis, now, random }: { redis: BreakerRedis; now: () => number; random: () => number },
): SharedBreakers {
  const admitScript = redis.createScript<number[]>(ADMIT_SCRIPT);
  const reportScript = redis.createScript<(number | string)[]>(REPORT_SCRIPT);
  const steerScript = redis.createScript<string | null>(STEER_SCRIPT);

  async function admit(scopes: readonly string[]): Promise<Map<string, BreakerAdmission>> {
    const answers = await admitScript.exec(scopes.map(keyOf), [SETTINGS_LINES, rowsOf(scopes)]);
    return new Map(scopes.map((scope, i) => {
      const [verdict, generation, waitMs] = answers.slice(3 * i, 3 * i + 3).map(Number);
      return [scope, readAdmission(verdict!, generation!, now() + waitMs!)];
    }));
  }

  async function report(results: readonly BreakerResult[]): Promise<BreakerChange[]> {
    const scopes = results.map(({ scope }) => scope);
    const chancePermille = String(Math.floor(random() * 1_000));
    const changes = await reportScript.exec(
      [INDEX_KEY, ...scopes.map(keyOf)],
      [SETTINGS_LINES, rowsOf(scopes), chancePermille, ...results.map(resultsLine)],
    );
    return readChanges(changes, scopes);
  }

  async function steer(order: "reset" | "isolate", scope: string): Promise<Breaker | null> {
    const line = await steerScript.exec([INDEX_KEY, keyOf(scope)], [order]);
    return line === null ? null : decodeBreaker(line);
  }

  return {
    async admit(scopes) {
      const parts = await Promise.all(inParts(scopes).map(admit));
      return new Map(parts.flatMap((part) => [...part]));
    },
    async report(results) {
      return (await Promise.all(inParts(results).map(report))).flat();
    },
    async list() {
      const scopes = await redis.zrange<string[]>(INDEX_KEY, 0, -1);
      if (scopes.length === 0) return [];
      const [lines, nowMs] = await Promise.all([
        redis.mget<(string | null)[]>(scopes.map(keyOf)),
        redisNow(redis),
      ]);
      return lines.flatMap((line, i) => {
        const breaker = line === null ? null : decodeBreaker(line);
        return breaker === null ? [] : [statisticsOf(scopes[i]!, breaker, nowMs)];
      }).sort(byTrouble);
    },
    async reset(scope) {
      const breaker = await steer("reset", scope);
      return breaker && statisticsOf(scope, breaker, breaker.sinceMs);
    },
    async isolate(scope) {
      const breaker = await steer("isolate", scope);
      if (breaker === null) throw new Error(`Cannot isolate ${scope}: Redis gave no breaker`);
      return statisticsOf(scope, breaker, breaker.sinceMs);
    },
  };
}

const REASONS = {
  [VERDICTS.open]: "open",
  [VERDICTS.probing]: "probing",
  [VERDICTS.isolated]: "isolated",
} as const;

function readAdmission(verdict: number, generation: number, retryAtMs: number): BreakerAdmission {
  const decidedBy = "redis";
  if (verdict === VERDICTS.allowed) return { allowed: true, generation, probe: false, decidedBy };
  if (verdict === VERDICTS.probe) return { allowed: true, generation, probe: true, decidedBy };
  const reason = REASONS[verdict as keyof typeof REASONS];
  if (reason === undefined) throw new Error(`Cannot read the verdict of a breaker: ${verdict}`);
  return { allowed: false, generation, reason, retryAtMs, decidedBy };
}

// Number, state before and line of each breaker that changed, one after the other.
function readChanges(changes: (number | string)[], scopes: string[]): BreakerChange[] {
  const read: BreakerChange[] = [];
  for (let i = 0; i + 3 <= changes.length; i += 3) {
    const scope = scopes[Number(changes[i]) - 1];
    const from = BREAKER_STATES.find((state) => state === changes[i + 1]);
    const breaker = decodeBreaker(String(changes[i + 2]));
    if (scope === undefined || from === undefined || breaker === null) {
      throw new Error(`Cannot read the change of a breaker: ${changes.slice(i, i + 3)}`);
    }
    read.push({ scope, from, breaker });
  }
  return read;
}

function byTrouble(one: BreakerStatistics, other: BreakerStatistics): number {
  const calm = (it: BreakerStatistics) => Number(it.state === "closed");
  return calm(one) - calm(other) || other.failures - one.failures ||
    one.scope.localeCompare(other.scope);
}

async function redisNow(redis: BreakerRedis): Promise<number> {
  const [seconds, micros] = await redis.time();
  return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000);
}

function keyOf(scope: string): string {
  return `${KEY_PREFIX}${scope}`;
}

// The words are those of SETTINGS_WORDS.
function settingsLine(settings: BreakerSettings): string {
  return [
    settings.failuresInARow,
    settings.failureRatePercent,
    settings.minimumRequests,
    settings.windowMs,
    settings.openMs,
    settings.maxOpenMs,
    settings.probeLeaseMs,
    settings.witnesses,
  ].join(" ");
}

// The words are those of RESULTS_WORDS.
function resultsLine(result: BreakerResult): string {
  const { generation, failures, successes, trailingFailures, pauseMs, witness } = result;
  return [generation, failures, successes, trailingFailures, pauseMs, witness].join(" ");
}

// Lua counts from 1.
function rowsOf(scopes: readonly string[]): string {
  return scopes.map((scope) => SCOPE_KINDS.indexOf(kindOf(scope)) + 1).join(" ");
}

function inParts<T>(items: readonly T[]): T[][] {
  const parts: T[][] = [];
  for (let i = 0; i < items.length; i += MAX_KEYS) parts.push(items.slice(i, i + MAX_KEYS));
  return parts;
}
