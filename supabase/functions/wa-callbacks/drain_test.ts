import { strict as assert } from "node:assert";
import { Webhook } from "standardwebhooks";

import { DatabaseError } from "../_shared/database.ts";
import type {
  CallbackResult,
  CallbackSettlement,
  ClaimedCallback,
} from "../_shared/queue/callbacks.ts";
import { createLocalBreakers } from "../_shared/resilience/breaker_local.ts";
import { createBreakers } from "../_shared/resilience/breakers.ts";
import { createLog } from "../_shared/telemetry/log.ts";
import { drain } from "./drain.ts";
import type { DrainLimits } from "./drain.ts";
import type { Post, PostResult } from "./post.ts";

const LIMITS: DrainLimits = { concurrency: 10, maxDeliveries: 100, maxDurationMs: 60_000 };
const NOW = Date.parse("2026-11-22T12:00:00Z");
const SECRET = `whsec_${btoa("a secret of thirty-two bytes.....")}`;
const OK: PostResult = { answered: true, status: 200, retryAfter: null };
const DOWN: PostResult = { answered: false, cause: "connection_failed" };
const never = new AbortController().signal;

function aCallback(id: number, endpointId = "e1"): ClaimedCallback {
  return {
    id,
    attempt: 1,
    endpointId,
    tenantId: "t1",
    url: `https://${endpointId}.example.com/${id}`,
    secrets: [SECRET],
    event: { id: `v${id}`, type: "message.status", at: "2026-11-22T11:00:00Z", payload: { n: id } },
    failureCount: 0,
  };
}

const RESULTS: Record<CallbackSettlement["outcome"], CallbackResult> = {
  delivered: "delivered",
  failed: "retried",
  gone: "paused",
  deferred: "deferred",
};

function setup(
  waiting: ClaimedCallback[],
  post: Post = () => Promise.resolve(OK),
  overrides: { settle?: (settlements: CallbackSettlement[]) => void; sleep?: () => Promise<void> } =
    {},
) {
  const settled: CallbackSettlement[] = [];
  const holds: [string[], number][] = [];
  const lines: string[] = [];
  let handOns = 0;
  const [now, random] = [() => NOW, () => 0];
  const log = createLog({ write: (line) => lines.push(line), now, fields: {} });
  const sleep = overrides.sleep ?? (() => Promise.resolve());
  const deps = {
    queue: {
      claim: (batch: number) => Promise.resolve(waiting.splice(0, batch)),
      settle: (settlements: CallbackSettlement[]) => {
        try {
          overrides.settle?.(settlements);
        } catch (error) {
          return Promise.reject(error);
        }
        settled.push(...settlements);
        return Promise.resolve(settlements.map(({ outcome }) => RESULTS[outcome]));
      },
      hold: (ids: string[], untilMs: number) => Promise.resolve(void holds.push([ids, untilMs])),
      handOn: () => Promise.resolve(void (handOns += 1)),
    },
    breakers: createBreakers({
      shared: null,
      local: createLocalBreakers({ now, random }),
      now,
      sleep: () => new Promise<never>(() => {}),
      log,
    }),
    post,
    now,
    random,
    sleep,
    log,
  };
  return { deps, waiting, settled, holds, lines, handOns: () => handOns };
}

Deno.test("drain() delivers what is due, signed, and says how many", async () => {
  const posted: { url: string; body: string }[] = [];
  const { deps, settled } = setup([aCallback(1), aCallback(2)], (url, headers, body) => {
    const signature = new Webhook(SECRET).sign(headers["webhook-id"]!, new Date(NOW), body);
    assert.equal(headers["webhook-signature"], signature);
    posted.push({ url, body });
    return Promise.resolve(OK);
  });
  const report = await drain(deps, LIMITS, never);
  assert.deepEqual(report, {
    claimed: 2,
    delivered: 2,
    retried: 0,
    dropped: 0,
    paused: 0,
    duration_ms: 0,
  });
  assert.deepEqual(settled.map(({ id, outcome }) => [id, outcome]), [[1, "delivered"], [
    2,
    "delivered",
  ]]);
  assert.equal(
    posted[0]!.body,
    '{"type":"message.status","timestamp":"2026-11-22T11:00:00.000Z","data":{"n":1}}',
  );
});

Deno.test("drain() never has more calls under way than it may", async () => {
  let underWay = 0;
  let most = 0;
  const { deps } = setup(Array.from({ length: 30 }, (_, n) => aCallback(n)), async () => {
    most = Math.max(most, ++underWay);
    await Promise.resolve();
    underWay -= 1;
    return OK;
  });
  const report = await drain(deps, { ...LIMITS, concurrency: 4 }, never);
  assert.equal(report.delivered, 30);
  assert.equal(most, 4);
});

Deno.test("a call that hangs does not keep what comes meanwhile from going", async () => {
  const hanging = Promise.withResolvers<PostResult>();
  const arrived: string[] = [];
  const { deps, waiting } = setup([aCallback(1, "slow")], (url) => {
    arrived.push(new URL(url).hostname);
    if (url.includes("slow")) {
      waiting.push(aCallback(2, "quick"));
      return hanging.promise;
    }
    hanging.resolve(OK);
    return Promise.resolve(OK);
  });
  const report = await drain(deps, LIMITS, never);
  assert.equal(report.delivered, 2);
  assert.deepEqual(arrived, ["slow.example.com", "quick.example.com"]);
});

Deno.test("an endpoint that is down is left alone once five failures are known, and what else was claimed put off", async () => {
  const callbacks = Array.from({ length: 8 }, (_, n) => aCallback(n));
  let calls = 0;
  const { deps, holds, settled } = setup(callbacks, () => {
    calls += 1;
    return Promise.resolve(DOWN);
  });
  await drain(deps, { ...LIMITS, concurrency: 1 }, never);
  // The sixth was on its way when the fifth was reported.
  assert.equal(calls, 6);
  const outcomes = settled.map(({ outcome }) => outcome);
  assert.deepEqual(outcomes, [...Array(6).fill("failed"), ...Array(2).fill("deferred")]);
  assert.deepEqual(holds[0], [["e1"], NOW + 30_000]);
});

Deno.test("an event that its receiver cannot take does not close the way for others", async () => {
  const poisoned = Array.from({ length: 12 }, () => aCallback(1));
  const { deps, settled } = setup(
    [...poisoned, aCallback(2)],
    (url) => Promise.resolve(url.endsWith("/1") ? { ...OK, status: 500 } : OK),
  );
  await drain(deps, { ...LIMITS, concurrency: 1 }, never);
  assert.equal(settled.at(-1)?.outcome, "delivered");
  assert.ok(settled.every(({ outcome }) => outcome !== "deferred"));
});

Deno.test("failures of different events at one endpoint close the way", async () => {
  const callbacks = Array.from({ length: 8 }, (_, n) => aCallback(n));
  const { deps, settled } = setup(callbacks, () => Promise.resolve({ ...OK, status: 503 }));
  await drain(deps, { ...LIMITS, concurrency: 1 }, never);
  assert.equal(settled.filter(({ outcome }) => outcome === "deferred").length, 2);
});

Deno.test("an endpoint that is stopped is counted once, and the log says which and why", async () => {
  const { deps, lines } = setup(
    [aCallback(1), aCallback(2)],
    () => Promise.resolve({ ...OK, status: 410 }),
  );
  const report = await drain(deps, LIMITS, never);
  assert.equal(report.paused, 1);
  const line = JSON.parse(lines.find((it) => it.includes("callback.not_delivered"))!);
  assert.equal(line.endpoint_id, "e1");
  assert.deepEqual(line.failure, { cause: "http_status", http_status: 410 });
  assert.ok(!lines.join().includes("example.com"), "an address may carry a token of the tenant's");
});

Deno.test("drain() claims nothing more when told to stop, and settles what it has", async () => {
  const stop = new AbortController();
  const { deps, settled, waiting } = setup([aCallback(1), aCallback(2)], () => {
    stop.abort();
    return Promise.resolve(OK);
  });
  await drain(deps, { ...LIMITS, concurrency: 1 }, stop.signal);
  assert.deepEqual(settled.map(({ id }) => id), [1]);
  assert.equal(waiting.length, 1);
});

Deno.test("drain() hands on what is beyond its limits", async () => {
  const { deps, handOns, waiting } = setup([1, 2, 3].map((id) => aCallback(id)));
  const report = await drain(deps, { ...LIMITS, maxDeliveries: 2 }, never);
  assert.deepEqual([report.claimed, waiting.length, handOns()], [2, 1, 1]);
});

Deno.test("while the database is away outcomes are kept, and written when it is back", async () => {
  let tries = 0;
  const { deps, settled } = setup([aCallback(1)], undefined, {
    settle: () => {
      tries += 1;
      if (tries < 4) throw new DatabaseError("Cannot settle", { code: "57P03", unavailable: true });
    },
  });
  const report = await drain(deps, LIMITS, never);
  assert.deepEqual([tries, settled.length, report.delivered], [4, 1, 1]);
});

Deno.test("what cannot be settled at all is no success", async () => {
  const { deps } = setup([aCallback(1)], undefined, {
    settle: () => {
      throw new Error("Cannot settle");
    },
  });
  await assert.rejects(drain(deps, LIMITS, never), /Cannot settle/);
});
