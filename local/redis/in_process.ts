import { Redis as Client } from "ioredis";
import MockClient from "ioredis-mock";

import { RedisError } from "./redis.ts";
import type { Redis } from "./redis.ts";
import { decodeReply, wrapScript } from "./in_process_lua.ts";

/**
 * A Redis inside this process, for machines that have none: strings, hashes, lists, sets, sorted
 * sets, expiry, Lua. Left out: WRONGTYPE and most checks of the number of arguments, cjson and bit
 * in Lua, persistence, any other client.
 */
export function openInProcessRedis(): Redis {
  // Clients of the mock with the same address share their keys.
  const client = new MockClient({ host: crypto.randomUUID() });
  const command = (args: string[]) => run(client, args);
  return {
    kind: "in_process",
    command,
    // Begun in one turn of the event loop, they run in a row with nothing in between.
    async transaction(commands) {
      const settled = await Promise.allSettled(commands.map(command));
      return settled.map((one) => one.status === "fulfilled" ? one.value : one.reason);
    },
    async stop() {
      await client.flushall();
      client.disconnect();
    },
  };
}

const COMMANDS = new Set(Client.prototype.getBuiltinCommands());

async function run(client: Client, [name = "", ...args]: string[]): Promise<unknown> {
  const command = name.toLowerCase();
  if (command === "eval" || command === "eval_ro") return await evaluate(client, args);
  if (command === "evalsha" || command === "evalsha_ro") {
    throw new RedisError("NOSCRIPT No matching script. Please use EVAL.");
  }
  const method: unknown = Reflect.get(client, command);
  if (!COMMANDS.has(command) || typeof method !== "function") {
    throw new RedisError(`ERR unknown command '${name}', with args beginning with: `);
  }
  try {
    return asReply(command, await method.apply(client, raiseOptions(command, args)));
  } catch (error) {
    throw refusal(error);
  }
}

async function evaluate(client: Client, [script = "", keyCount = "0", ...rest]: string[]) {
  try {
    const reply = await client.eval(wrapScript(script), keyCount, ...rest);
    return decodeReply(String(reply));
  } catch (error) {
    throw refusal(error);
  }
}

// The mock knows the options of these commands, behind so many arguments, in upper case only.
const OPTIONS_BEHIND: Record<string, number> = {
  set: 2,
  getex: 1,
  expire: 2,
  pexpire: 2,
  zrange: 3,
};

function raiseOptions(command: string, args: string[]): string[] {
  const behind = OPTIONS_BEHIND[command] ?? args.length;
  return args.map((arg, i) => i < behind ? arg : arg.toUpperCase());
}

// The mock answers hashes as objects, and NaN where Redis refuses to count.
function asReply(command: string, reply: unknown): unknown {
  if (Number.isNaN(reply)) throw new RedisError("ERR value is not an integer or out of range");
  if (command === "hgetall") return Object.entries(reply as object).flat();
  return reply ?? null;
}

function refusal(error: unknown): RedisError {
  if (error instanceof RedisError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const coded = /^[A-Z]+ /.test(message) ? message : `ERR ${message}`;
  return new RedisError(coded, { cause: error });
}
