import type { Redis } from "../../local/redis/redis.ts";
import type { ScriptRedis } from "../../supabase/functions/_shared/pacing/redis_windows.ts";

/** Scripts on a real Redis that believe the time to be another one. What they keep stays an hour longer. */
export function redisAt(redis: Redis, now: () => number): ScriptRedis {
  return {
    createScript: <Answer>(script: string) => ({
      async exec(keys: string[], args: string[]) {
        const seconds = Math.floor(now() / 1_000);
        const time = `{ '${seconds}.0', '${(now() - seconds * 1_000) * 1_000}' }`;
        const timed = script.replace(/^#!.*\n/, "").replace("redis.call('TIME')", time)
          .replaceAll("'PX', written(", "'PX', written(3600000 + ");
        const reply = await redis.command(["EVAL", timed, String(keys.length), ...keys, ...args]);
        return reply as Answer;
      },
    }),
  };
}
