/** R22's row: a tenant that offers more than its limit gets its limit, and Meta is never asked for more. */
import { strict as assert } from "node:assert";

import { createTestSimulator } from "../../local/graph_simulator/test_simulator.ts";
import type { Redis } from "../../local/redis/redis.ts";
import { startRedis } from "../../local/redis/start.ts";
import { createSendWindows } from "../../supabase/functions/_shared/pacing/send_windows.ts";
import { createOutboundQueue } from "../../supabase/functions/_shared/queue/outbound.ts";
import { createLocalBreakers } from "../../supabase/functions/_shared/resilience/breaker_local.ts";
import { createBreakers } from "../../supabase/functions/_shared/resilience/breakers.ts";
import { runtime } from "../../supabase/functions/_shared/runtime.ts";
import { createLog } from "../../supabase/functions/_shared/telemetry/log.ts";
import { createGraphClient } from "../../supabase/functions/_shared/whatsapp/graph_client.ts";
import { drain, type DrainDeps } from "../../supabase/functions/wa-sender/drain.ts";
import { createSend } from "../../supabase/functions/wa-sender/send.ts";
import { startTestDataApi, type TestDataApi } from "../support/data_api.ts";
import { createDatabase } from "../support/database.ts";
import { anItem, enqueue } from "../support/outbound.ts";
import { redisAt } from "../support/redis_at.ts";
import { createTenancy } from "../support/tenancy.ts";

const START_MS = Date.UTC(2027, 0, 15);
const LIMIT = 80;
const WINDOW_MS = 60_000;
const OFFERED_SECONDS = 8;
const STEPS_PER_SECOND = 4;
const END_MS = START_MS + 3 * WINDOW_MS;
const LIMITS = {
  ...{ fullBatch: 200, reducedBatch: 100, highDepth: 1_000, lowDepth: 100 },
  ...{ concurrency: 64, concurrencyPerSender: 32, maxMessages: 2_000 },
  ...{ maxDurationMs: 50_000, maxIdleMs: 0, maxClaimAgeMs: 25_000 },
};

Deno.test("100 messages a second against 80 a minute: 80 go in every minute, the rest waits, no 429", async () => {
  await using database = await createDatabase();
  await using api = await startTestDataApi(database);
  const { sql } = database;
  const tenancy = await createTenancy(sql);
  const clock = { nowMs: START_MS };
  const simulator = createTestSimulator(undefined, {
    now: () => clock.nowMs,
    receivedLimit: 1_000,
  });
  await simulator.json("PUT", `/_control/numbers/${tenancy.phoneNumberId}`, { throughput_mps: 80 });
  await using redis = await openRedis();
  const deps = connect(api, redis, simulator.request, () => clock.nowMs);
  const runDrain = () => drain(deps, LIMITS, { stop: new AbortController().signal });

  let offered = 0;
  for (let step = 0; step < OFFERED_SECONDS * STEPS_PER_SECOND; step++) {
    clock.nowMs = START_MS + step * 1_000 / STEPS_PER_SECOND;
    const items = Array.from(
      { length: 100 / STEPS_PER_SECOND },
      () => anItem(tenancy, { to: `+1555${String(offered++).padStart(7, "0")}` }),
    );
    await enqueue(sql, tenancy, items, new Date(clock.nowMs));
    await runDrain();
  }
  while (clock.nowMs < END_MS) {
    const dueInMs = await deps.queue.nextDueInMs();
    if (dueInMs === null) break;
    clock.nowMs += Math.max(1, dueInMs);
    await runDrain();
  }

  const { received } = await simulator.json("GET", "/_control/received?limit=1000") as {
    received: { at: number; outcome: string }[];
  };
  assert.ok(received.every(({ outcome }) => outcome === "accepted"));
  const moments = received.map(({ at }) => at);
  for (const [nth, from] of moments.entries()) {
    const until = from + WINDOW_MS;
    const inWindow = moments.slice(nth).filter((at) => at < until).length;
    assert.ok(inWindow <= LIMIT, `${inWindow} from ${from}`);
    // The whole limit went at once in the beginning; from then on it is spread evenly.
    if (from < START_MS + WINDOW_MS || until > END_MS) continue;
    assert.ok(inWindow >= LIMIT - 1, `${inWindow} from ${from}`);
  }
  const [left] = await sql`
    select count(*) filter (where status = 'queued')::integer as waiting,
      count(*) filter (where status = 'sent')::integer as sent,
      max(deferral_count) as deferrals
    from switchyard.messages`;
  assert.deepEqual(left, {
    waiting: offered - received.length,
    sent: received.length,
    deferrals: 1,
  });
});

/** The real drain on the test's clock: queue, limits at send time and simulator all go by it. */
function connect(
  api: TestDataApi,
  redis: Redis,
  askSimulator: (method: string, path: string, body?: unknown) => Promise<Response>,
  now: () => number,
): DrainDeps {
  const { random, sleep } = runtime;
  const log = createLog({ write: () => {}, now, fields: {} });
  const timed: TestDataApi["callRpc"] = (name, args, options) => {
    const at = new Date(now()).toISOString();
    const takesTime = ["claim_messages", "settle_messages", "next_due_in_ms"].includes(name);
    return api.callRpc(name, takesTime ? { ...args, at } : args, options);
  };
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const { method, url, text } = await readRequest(new Request(input, init));
    return await askSimulator(method, url.pathname, JSON.parse(text));
  };
  return {
    queue: createOutboundQueue(timed, { worker: "test", leaseSeconds: 60, countDepthTo: 1_001 }),
    credentials: {
      find: (senders) =>
        Promise.resolve(senders.map(() => ({ found: true, accessToken: "token" }))),
      forget: () => {},
      statistics: () => {
        throw new Error("Nobody asks for statistics here");
      },
    },
    breakers: createBreakers({
      ...{ shared: null, local: createLocalBreakers({ now, random }), now, sleep, log },
    }),
    windows: createSendWindows({ redis: redisAt(redis, now), now, sleep, log }),
    send: createSend(
      createGraphClient({ fetch, baseUrl: "http://graph.test", version: "v25.0", now, sleep }),
    ),
    ...{ now, uptime: now, random, sleep, log },
  };
}

async function openRedis(): Promise<Redis & AsyncDisposable> {
  const dir = await Deno.makeTempDir();
  const redis = await startRedis({ dir });
  return {
    ...redis,
    async [Symbol.asyncDispose]() {
      await redis.stop();
      await Deno.remove(dir, { recursive: true });
    },
  };
}

async function readRequest(request: Request) {
  return { method: request.method, url: new URL(request.url), text: await request.text() };
}
