import type { Batch } from "./batch.ts";
import type { Limit } from "./limits.ts";
import type { Verdict } from "./schedule.ts";
import { HOLDERS, KEY_PREFIX, LIMIT_WORDS, WINDOWS_SCRIPT } from "./windows_script.ts";

/** What is used of the client of Redis. */
export interface ScriptRedis {
  createScript<Answer>(script: string): {
    exec(keys: string[], args: string[]): Promise<Answer>;
  };
}

/** The windows that all isolates share. */
export interface SharedWindows {
  /** Decides on messages in their order, in one round trip; throws when Redis does. */
  decide(batch: Batch): Promise<SharedVerdicts>;
}

/** What was decided, and when by the clock of Redis. */
export interface SharedVerdicts {
  verdicts: Verdict[];
  nowMs: number;
}

const ADMITTED: Verdict = { admitted: true };

/** Windows in Redis: one atomic script a claim, on the clock of Redis. */
export function createRedisWindows(redis: ScriptRedis): SharedWindows {
  const script = redis.createScript<unknown>(WINDOWS_SCRIPT);
  return {
    async decide(batch) {
      const keys = [...batch.limitKeys, ...batch.pairKeys].map((key) => KEY_PREFIX + key);
      const answer = await script.exec(keys, [limitWords(batch), askedWords(batch)]);
      return readAnswer(answer, batch.asked.length);
    },
  };
}

function limitWords({ limits }: Batch): string {
  return limits.map((limit: Limit) => LIMIT_WORDS.map((word) => limit[word]).join(" ")).join(" ");
}

// The pairs are counted by themselves. Lua counts from 1.
function askedWords({ asked }: Batch): string {
  return asked.map(({ tenant, sender, pair, urgent, deferrals }) =>
    `${tenant + 1} ${sender + 1} ${pair + 1} ${Number(urgent)} ${deferrals}`
  ).join(" ");
}

function readAnswer(answer: unknown, asked: number): SharedVerdicts {
  if (!Array.isArray(answer) || answer.length !== 1 + 2 * asked) {
    throw new Error("Cannot read the answer of the windows: it is of another length");
  }
  const [nowMs, ...words] = answer.map(Number);
  const verdicts = Array.from({ length: asked }, (_, i): Verdict => {
    const [waitMs, holder] = [words[2 * i]!, words[2 * i + 1]!];
    const by = HOLDERS[holder - 1];
    return by === undefined ? ADMITTED : { admitted: false, waitMs, by };
  });
  return { verdicts, nowMs: nowMs! };
}
