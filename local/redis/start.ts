import { connectRedis, startRedisServer } from "./server.ts";
import { openInProcessRedis } from "./in_process.ts";
import type { Redis } from "./redis.ts";

/**
 * Gives the Redis at `redisUrl`; without one starts redis-server or valkey-server where the PATH
 * has it, with nothing kept on disk; without that runs one in this process.
 */
export async function startRedis(options: { redisUrl?: string; dir: string }): Promise<Redis> {
  if (options.redisUrl) return await connectRedis(options.redisUrl);
  const program = findProgram(["redis-server", "valkey-server"]);
  return program ? await startRedisServer(program, options.dir) : openInProcessRedis();
}

function findProgram(names: string[]): string | undefined {
  const folders = (Deno.env.get("PATH") ?? "").split(":");
  const candidates = names.flatMap((name) => folders.map((folder) => `${folder}/${name}`));
  return candidates.find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  });
}
