import { strict as assert } from "node:assert";

import { createCallbackQueue } from "../../supabase/functions/_shared/queue/callbacks.ts";
import { createLocalBreakers } from "../../supabase/functions/_shared/resilience/breaker_local.ts";
import { createBreakers } from "../../supabase/functions/_shared/resilience/breakers.ts";
import { runtime } from "../../supabase/functions/_shared/runtime.ts";
import { createLog } from "../../supabase/functions/_shared/telemetry/log.ts";
import { drain, type DrainDeps } from "../../supabase/functions/wa-callbacks/drain.ts";
import { createPost } from "../../supabase/functions/wa-callbacks/post.ts";
import { startCallbackReceiver } from "../support/callback_receiver.ts";
import { addEndpoint, anEvent, emit, SECRET } from "../support/callbacks.ts";
import { startTestDataApi, type TestDataApi } from "../support/data_api.ts";
import { createDatabase } from "../support/database.ts";
import { createTenancy } from "../support/tenancy.ts";

const LIMITS = { concurrency: 16, maxDeliveries: 1_000, maxDurationMs: 30_000 };
const { now, sleep } = runtime;
// The longest wait that jitter allows: no retry falls into the drain that asks for it.
const random = () => 0.999;
const stop = new AbortController().signal;

/** Everything real but Redis. */
function connect({ callRpc }: TestDataApi, overrides: Partial<DrainDeps["queue"]> = {}): DrainDeps {
  const log = createLog({ write: () => {}, now, fields: {} });
  const local = createLocalBreakers({ now, random });
  return {
    queue: {
      ...createCallbackQueue(callRpc, { leaseSeconds: 60, perEndpoint: 8 }),
      ...overrides,
    },
    breakers: createBreakers({ shared: null, local, now, sleep, log }),
    post: createPost({ ...runtime, reach: "any" }),
    now,
    random,
    sleep,
    log,
  };
}

Deno.test("drains on several isolates deliver every event once, each conversation in order", async () => {
  await using database = await createDatabase();
  await using api = await startTestDataApi(database);
  await using receiver = startCallbackReceiver();
  const tenancy = await createTenancy(database.sql);
  await addEndpoint(database.sql, tenancy, { url: receiver.url });
  receiver.trust(SECRET);
  const events = Array.from(
    { length: 60 },
    (_, n) => anEvent(tenancy, { order_key: `line ${n % 6}`, data: { line: n % 6, n } }),
  );
  await emit(database.sql, events, new Date());

  const reports = await Promise.all(
    [1, 2, 3, 4].map(() => drain(connect(api), LIMITS, stop)),
  );
  // One that found nothing to do while others were busy has left; what is left is for the next ring.
  reports.push(await drain(connect(api), LIMITS, stop));
  assert.equal(reports.reduce((sum, { delivered }) => sum + delivered, 0), 60);
  assert.equal(new Set(receiver.received.map(({ id }) => id)).size, 60);
  for (let line = 0; line < 6; line++) {
    const told = receiver.received.filter(({ data }) => data.line === line).map(({ data }) =>
      data.n
    );
    assert.deepEqual(told, Array.from({ length: 10 }, (_, nth) => line + 6 * nth));
  }
});

Deno.test("a worker that dies between a delivery and its settling delivers again under the same id", async () => {
  await using database = await createDatabase();
  await using api = await startTestDataApi(database);
  await using receiver = startCallbackReceiver();
  const tenancy = await createTenancy(database.sql);
  await addEndpoint(database.sql, tenancy, { url: receiver.url });
  receiver.trust(SECRET);
  const events = [1, 2].map((n) => anEvent(tenancy, { data: { n } }));
  await emit(database.sql, events, new Date());

  const dies = connect(api, { settle: () => Promise.reject(new Error("killed")) });
  await assert.rejects(drain(dies, LIMITS, stop), /killed/);
  assert.equal((await drain(connect(api), LIMITS, stop)).claimed, 0, "its lease lasts");
  await database.sql`
    update switchyard.callback_deliveries set lease_expires_at = now() - interval '1 second'
    where lease_expires_at is not null`;
  assert.equal((await drain(connect(api), LIMITS, stop)).delivered, 2);

  const [lost, again, next] = receiver.received;
  assert.equal(lost!.id, again!.id);
  assert.equal(lost!.body, again!.body);
  assert.deepEqual([again!.data.n, next!.data.n], [1, 2]);
});

Deno.test("a redirect is not followed, and what it says is not delivered", async () => {
  await using database = await createDatabase();
  await using api = await startTestDataApi(database);
  await using target = startCallbackReceiver();
  await using redirecting = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => Response.redirect(target.url, 307),
  );
  const tenancy = await createTenancy(database.sql);
  await addEndpoint(database.sql, tenancy, { url: `http://127.0.0.1:${redirecting.addr.port}/` });
  await emit(database.sql, [anEvent(tenancy)], new Date());
  const report = await drain(connect(api), LIMITS, stop);
  assert.deepEqual([report.delivered, report.retried], [0, 1]);
  assert.deepEqual(target.asked, []);
});

Deno.test("a stored address that may not be called is refused at the call, and the failure says so", async () => {
  await using database = await createDatabase();
  await using api = await startTestDataApi(database);
  await using receiver = startCallbackReceiver();
  const tenancy = await createTenancy(database.sql);
  await addEndpoint(database.sql, tenancy, { url: receiver.url.replace("http:", "https:") });
  await emit(database.sql, [anEvent(tenancy)], new Date());
  const deps = { ...connect(api), post: createPost({ ...runtime, reach: "public" as const }) };
  assert.equal((await drain(deps, LIMITS, stop)).retried, 1);
  assert.deepEqual(receiver.asked, []);
  const [row] = await database.sql`select last_failure from switchyard.callback_deliveries`;
  assert.deepEqual(row!.last_failure, { cause: "address_refused" });
});
