import { connectRedis, startRedisServer } from "./redis_server.ts";
import { openInProcessRedis } from "./redis_in_process.ts";

/** One Redis, wherever it runs. A command that Redis refuses throws a RedisError. */
export interface Redis {
  readonly kind: "external" | "server" | "in_process";
  command(args: string[]): Promise<unknown>;
  /** MULTI/EXEC: one result or RedisError for each command; throws when all were discarded. */
  transaction(commands: string[][]): Promise<unknown[]>;
  stop(): Promise<void>;
}

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
