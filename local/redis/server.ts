import { join, resolve } from "node:path";
import { Redis as Client } from "ioredis";

import { type GuardedProcess, spawnGuarded } from "../guarded_process.ts";
import { RedisError } from "./redis.ts";
import type { Redis } from "./redis.ts";

// What the kernel allows for the path of a socket, less some room.
const LONGEST_SOCKET_PATH = 90;

/** Connects to a Redis that somebody else runs. */
export async function connectRedis(url: string): Promise<Redis> {
  const client = await connect(new Client(url, OPTIONS), "REDIS_URL");
  return { kind: "external", ...commandsOf(client), stop: () => disconnect(client) };
}

/** Starts a Redis of our own on a socket that no other user may open; it ends with this process. */
export async function startRedisServer(program: string, dir: string): Promise<Redis> {
  await Deno.mkdir(dir, { recursive: true });
  const { socket, remove } = await placeSocket(resolve(dir));
  try {
    const server = await startListening(program, socket);
    const client = await connect(new Client({ ...OPTIONS, path: socket }), program);
    return {
      kind: "server",
      ...commandsOf(client),
      async stop() {
        await disconnect(client);
        await server.stop("SIGTERM", 5_000);
        await remove();
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function startListening(program: string, socket: string): Promise<GuardedProcess> {
  const ready = Promise.withResolvers<true>();
  const said: string[] = [];
  const server = spawnGuarded({
    command: program,
    args: [
      ...["--port", "0", "--unixsocket", socket, "--unixsocketperm", "700"],
      ...["--save", "", "--appendonly", "no", "--daemonize", "no", "--dir", "/"],
    ],
    signalWhenOrphaned: "SIGTERM",
    onLine(line) {
      if (said.length < 40) said.push(line);
      if (/ready to accept connections/i.test(line)) ready.resolve(true);
    },
  });
  if (await Promise.race([ready.promise, server.exited]) !== true) {
    throw new Error(`${program} did not start: ${said.join("\n")}`);
  }
  return server;
}

// While Redis is gone a command fails at once; the connection comes back by itself.
const OPTIONS = {
  lazyConnect: true,
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  retryStrategy: () => 200,
};

async function connect(client: Client, name: string): Promise<Client> {
  let reason: unknown;
  client.on("error", (error) => reason = error);
  await client.connect().catch((cause) => {
    client.disconnect();
    throw new Error(`Cannot connect to Redis (${name}): ${reason ?? cause}`, { cause });
  });
  return client;
}

async function disconnect(client: Client): Promise<void> {
  const closed = new Promise((resolve) => client.once("end", resolve));
  client.disconnect();
  await closed;
}

// The client reshapes the replies of commands that it knows by their lower-case names.
function commandsOf(client: Client): Pick<Redis, "command" | "transaction"> {
  return {
    command: ([name = "", ...args]) => client.call(name.toUpperCase(), ...args).catch(throwRefusal),
    async transaction(commands) {
      const transaction = client.multi();
      for (const [name = "", ...args] of commands) {
        transaction.call(name.toUpperCase(), ...args);
      }
      const results = await transaction.exec().catch(throwRefusal) ?? [];
      return results.map(([error, value]) => error ? new RedisError(error.message) : value);
    },
  };
}

function throwRefusal(error: unknown): never {
  if (error instanceof Error && error.name === "ReplyError") {
    throw new RedisError(error.message, { cause: error });
  }
  throw error;
}

// A folder of its own where the path within `dir` is too long; it goes with the server.
async function placeSocket(dir: string): Promise<{ socket: string; remove(): Promise<void> }> {
  const inside = join(dir, "redis.sock");
  if (inside.length <= LONGEST_SOCKET_PATH) return { socket: inside, remove: async () => {} };
  const folder = await Deno.makeTempDir({ prefix: "switchyard-redis-" });
  return {
    socket: join(folder, "redis.sock"),
    remove: () => Deno.remove(folder, { recursive: true }),
  };
}
