import { RedisError } from "./redis.ts";
import type { Redis } from "./redis.ts";
import { readRestRequest } from "./upstash_rest_request.ts";
import { createScriptTranslator } from "./upstash_rest_scripts.ts";

/** Serves a Redis in the way of Upstash's REST API on 127.0.0.1; port 0 takes a free one. */
export async function startUpstashRest(options: {
  redis: Redis;
  token: string;
  port: number;
}): Promise<{ url: string; stop(): Promise<void> }> {
  const handler = createUpstashRest(options.redis, options.token);
  const listen = { hostname: "127.0.0.1", port: options.port, onListen: () => {} };
  const server = await Promise.resolve().then(() => Deno.serve(listen, handler)).catch((cause) => {
    throw new Error(`Port ${options.port} is taken: choose other ports with --port.`, { cause });
  });
  return { url: `http://127.0.0.1:${server.addr.port}`, stop: () => server.shutdown() };
}

/**
 * Answers /, /<command>/<argument>…, /pipeline and /multi-exec with the statuses and bodies of
 * Upstash, base64 included. Left out: read-only tokens, /monitor, /subscribe, the resp2 format and
 * the sync token, which one Redis alone does not need.
 */
export function createUpstashRest(
  redis: Redis,
  token: string,
): (request: Request) => Promise<Response> {
  const translate = createScriptTranslator();
  return async (request) => {
    const asked = await readRestRequest(request, token);
    const encode = request.headers.get("upstash-encoding") === "base64" ? toBase64 : asIs;
    try {
      switch (asked.kind) {
        case "refused":
          return Response.json({ error: asked.error }, { status: asked.status });
        case "command":
          return Response.json({ result: encode(await run(redis, translate, asked.args)) });
        case "pipeline":
          return Response.json(await runEach(redis, translate, asked.commands, encode));
        case "transaction":
          return Response.json(await runTogether(redis, translate, asked.commands, encode));
      }
    } catch (error) {
      if (error instanceof RedisError) {
        return Response.json({ error: error.message }, { status: 400 });
      }
      return Response.json({ error: `ERR Redis is not reachable: ${error}` }, { status: 503 });
    }
  };
}

type Translate = ReturnType<typeof createScriptTranslator>;
type Encode = (value: unknown) => unknown;

async function run(redis: Redis, translate: Translate, args: string[]): Promise<unknown> {
  refuseStateful(args);
  const translated = translate(args);
  return Array.isArray(translated) ? await redis.command(translated) : translated.reply;
}

async function runEach(
  redis: Redis,
  translate: Translate,
  commands: string[][],
  encode: Encode,
): Promise<unknown[]> {
  const settled = await Promise.allSettled(commands.map((args) => run(redis, translate, args)));
  return settled.map((one) => {
    if (one.status === "fulfilled") return { result: encode(one.value) };
    if (one.reason instanceof RedisError) return { error: one.reason.message };
    throw one.reason;
  });
}

async function runTogether(
  redis: Redis,
  translate: Translate,
  commands: string[][],
  encode: Encode,
): Promise<unknown[]> {
  commands.forEach(refuseStateful);
  const translated = commands.map((args) => {
    const one = translate(args);
    if (Array.isArray(one)) return one;
    throw new RedisError(`ERR ${args[0]} is not available in a transaction`);
  });
  const results = await redis.transaction(translated);
  return results.map((one) =>
    one instanceof RedisError ? { error: one.message } : { result: encode(one) }
  );
}

// All requests share one connection, which these would take away from the others.
const STATEFUL = /^(P|S)?SUBSCRIBE$|^B[LRZ]|^(MONITOR|MULTI|EXEC|DISCARD|WATCH|UNWATCH|SELECT)$/i;

function refuseStateful([name = ""]: string[]): void {
  if (!STATEFUL.test(name)) return;
  throw new RedisError(`ERR Command is not available: '${name}'`);
}

const asIs: Encode = (value) => value;

const toBase64: Encode = (value) => {
  if (Array.isArray(value)) return value.map(toBase64);
  if (typeof value !== "string" || value === "OK") return value;
  return new TextEncoder().encode(value).toBase64();
};
