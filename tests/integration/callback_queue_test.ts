import { strict as assert } from "node:assert";

import {
  addEndpoint,
  anEvent,
  type CallbackClaim,
  claimCallbacks,
  emit,
  SECRET,
  settleCallbacks,
} from "../support/callbacks.ts";
import { type Sql, withDatabase } from "../support/database.ts";
import { later, NOW } from "../support/now.ts";
import { createTenancy } from "../support/tenancy.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

const delivered = () => ({ outcome: "delivered" });
const failed = (dueAt: Date) => () => ({
  outcome: "failed",
  due_at: dueAt,
  failure: { cause: "http_status", http_status: 500 },
});

function contents(claims: CallbackClaim[]): unknown[] {
  return claims.map(({ payload }) => payload.n);
}

async function endpointOf(sql: Sql, id: string) {
  const [row] = await sql`select * from switchyard.callback_endpoints where id = ${id}`;
  return row!;
}

async function auditActions(sql: Sql): Promise<string[]> {
  const rows = await sql`
    select action from switchyard.audit_log where action like 'callback.%' order by id`;
  return rows.map(({ action }) => action);
}

Deno.test("claim_callbacks() hands out the first of each line, with address and secret", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    const endpointId = await addEndpoint(sql, tenancy);
    await emit(sql, [
      anEvent(tenancy, { data: { n: 1 } }),
      anEvent(tenancy, { data: { n: 2 } }),
      anEvent(tenancy, { data: { n: 3 }, order_key: "another line" }),
    ], NOW);
    const claims = await claimCallbacks(sql, NOW);
    assert.deepEqual(contents(claims), [1, 3]);
    const [first] = claims;
    assert.equal(first!.endpoint_id, endpointId);
    assert.equal(first!.url, "https://example.com/hook");
    assert.deepEqual(first!.secrets, [SECRET]);
    assert.equal(first!.attempt, 1);
    assert.deepEqual(await claimCallbacks(sql, NOW), []);
  }));

Deno.test("the next of a line goes once the one before it was delivered, in order of telling", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await addEndpoint(sql, tenancy);
    await emit(sql, [1, 2].map((n) => anEvent(tenancy, { data: { n } })), NOW);
    const first = await claimCallbacks(sql, NOW);
    await emit(sql, [anEvent(tenancy, { data: { n: 3 } })], NOW);
    assert.deepEqual(await claimCallbacks(sql, NOW), []);
    assert.deepEqual(await settleCallbacks(sql, first, delivered, NOW), ["delivered"]);
    const second = await claimCallbacks(sql, NOW);
    assert.deepEqual(contents(second), [2]);
    await settleCallbacks(sql, second, delivered, NOW);
    assert.deepEqual(contents(await claimCallbacks(sql, NOW)), [3]);
  }));

Deno.test("a delivery that fails holds its own line until it is due again, and no other", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await addEndpoint(sql, tenancy);
    await emit(sql, [1, 2].map((n) => anEvent(tenancy, { data: { n } })), NOW);
    const retryAt = later(30_000);
    assert.deepEqual(
      await settleCallbacks(sql, await claimCallbacks(sql, NOW), failed(retryAt), NOW),
      ["retried"],
    );
    await emit(sql, [anEvent(tenancy, { data: { n: 3 }, order_key: "another line" })], NOW);
    assert.deepEqual(contents(await claimCallbacks(sql, later(29_000))), [3]);
    const [again] = await claimCallbacks(sql, retryAt);
    assert.deepEqual([again!.payload.n, again!.attempt, again!.failure_count], [1, 2, 1]);
  }));

Deno.test("a lease that ran out is claimed again under the same event id, and the late worker changes nothing", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await addEndpoint(sql, tenancy);
    await emit(sql, [anEvent(tenancy)], NOW);
    const lost = await claimCallbacks(sql, NOW);
    assert.deepEqual(await claimCallbacks(sql, later(59_000)), []);
    const again = await claimCallbacks(sql, later(61_000));
    assert.equal(again[0]!.event_id, lost[0]!.event_id);
    assert.deepEqual(await settleCallbacks(sql, lost, failed(later(99_000)), later(62_000)), [
      "superseded",
    ]);
    assert.deepEqual(await settleCallbacks(sql, again, delivered, later(63_000)), ["delivered"]);
    assert.deepEqual(await settleCallbacks(sql, again, delivered, later(63_000)), ["superseded"]);
  }));

Deno.test("no endpoint has more deliveries under way than it may, however many workers claim at once", () =>
  withDatabase(async ({ sql, connect }) => {
    const tenancy = await createTenancy(sql);
    await addEndpoint(sql, tenancy);
    const events = Array.from(
      { length: 40 },
      (_, n) => anEvent(tenancy, { order_key: `line ${n}`, data: { n } }),
    );
    await emit(sql, events, NOW);
    const workers = Array.from({ length: 6 }, () => connect());
    const claims = (await Promise.all(workers.map((worker) => claimCallbacks(worker, NOW)))).flat();
    assert.equal(claims.length, 4);
    assert.equal(new Set(claims.map(({ id }) => id)).size, 4);
  }));

Deno.test("an endpoint with a long backlog leaves room for the others of a batch", () =>
  withDatabase(async ({ sql }) => {
    const busy = await createTenancy(sql);
    const quiet = await createTenancy(sql);
    await addEndpoint(sql, busy);
    await addEndpoint(sql, quiet);
    const events = Array.from({ length: 50 }, (_, n) => anEvent(busy, { order_key: `line ${n}` }));
    await emit(sql, [...events, anEvent(quiet)], NOW);
    const claims = await claimCallbacks(sql, NOW, { batch: 2, perEndpoint: 10 });
    assert.deepEqual(
      new Set(claims.map(({ tenant_id }) => tenant_id)),
      new Set([busy.tenantId, quiet.tenantId]),
    );
  }));

Deno.test("telling, claiming and settling on many connections deliver every event once and in order", () =>
  withDatabase(async ({ sql, connect }) => {
    const tenancy = await createTenancy(sql);
    await addEndpoint(sql, tenancy);
    const seen = new Map<string, number[]>();
    let left = 5 * 40;
    async function tell(line: string): Promise<void> {
      const own = connect();
      for (let n = 0; n < 40; n++) {
        await emit(own, [anEvent(tenancy, { order_key: line, data: { n } })], NOW);
      }
    }
    async function work(): Promise<void> {
      const own = connect();
      while (left > 0) {
        const claims = await claimCallbacks(own, NOW, { perEndpoint: 3 });
        for (const { order_key, payload } of claims) {
          seen.set(order_key, [...seen.get(order_key) ?? [], payload.n as number]);
        }
        left -= claims.length;
        await settleCallbacks(own, claims, delivered, NOW);
      }
    }
    const lines = ["a", "b", "c", "d", "e"];
    await Promise.all([...lines.map(tell), work(), work(), work(), work()]);
    const inOrder = Array.from({ length: 40 }, (_, n) => n);
    for (const line of lines) assert.deepEqual(seen.get(line), inOrder);
  }));

Deno.test("an event is given up a day after it failed first, when others got through, and its line goes on", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    const endpointId = await addEndpoint(sql, tenancy);
    await emit(sql, [1, 2].map((n) => anEvent(tenancy, { data: { n } })), NOW);
    await settleCallbacks(
      sql,
      await claimCallbacks(sql, NOW),
      failed(later(30 * HOUR_MS)),
      NOW,
    );
    await emit(sql, [anEvent(tenancy, { order_key: "another line" })], later(HOUR_MS));
    await settleCallbacks(
      sql,
      await claimCallbacks(sql, later(HOUR_MS)),
      delivered,
      later(HOUR_MS),
    );
    const last = later(24 * HOUR_MS);
    const again = await claimCallbacks(sql, last);
    assert.deepEqual(contents(again), [1], "the last try is not later than a day after the first");
    assert.deepEqual(await settleCallbacks(sql, again, failed(later(25 * HOUR_MS)), last), [
      "dropped",
    ]);
    assert.deepEqual(contents(await claimCallbacks(sql, last)), [2]);
    assert.equal((await endpointOf(sql, endpointId)).status, "active");
  }));

Deno.test("an endpoint that nothing reaches for a day is paused, reported, and loses nothing", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    const endpointId = await addEndpoint(sql, tenancy);
    await emit(sql, [1, 2].map((n) => anEvent(tenancy, { data: { n } })), NOW);
    await settleCallbacks(sql, await claimCallbacks(sql, NOW), failed(later(24 * HOUR_MS)), NOW);
    const last = later(24 * HOUR_MS);
    const results = await settleCallbacks(
      sql,
      await claimCallbacks(sql, last),
      failed(later(25 * HOUR_MS)),
      last,
    );
    assert.deepEqual(results, ["paused"]);
    const endpoint = await endpointOf(sql, endpointId);
    assert.deepEqual([endpoint.status, endpoint.status_reason], ["paused", "failing"]);
    assert.deepEqual(await auditActions(sql), ["callback.created", "callback.paused"]);

    const muchLater = later(60 * HOUR_MS);
    await emit(sql, [anEvent(tenancy, { data: { n: 3 } })], muchLater);
    assert.deepEqual(await claimCallbacks(sql, muchLater), []);
    await sql`
      select switchyard_api.update_callback(
        ${tenancy.tenantId}, ${endpointId}, '{"status": "active"}', '{}', ${muchLater})`;
    const told: unknown[] = [];
    for (let n = 0; n < 3; n++) {
      const claims = await claimCallbacks(sql, muchLater);
      told.push(...contents(claims));
      assert.deepEqual(await settleCallbacks(sql, claims, delivered, muchLater), ["delivered"]);
    }
    assert.deepEqual(told, [1, 2, 3]);
  }));

Deno.test("what fails after its endpoint was enabled has another day", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    const endpointId = await addEndpoint(sql, tenancy);
    await emit(sql, [anEvent(tenancy)], NOW);
    await settleCallbacks(sql, await claimCallbacks(sql, NOW), failed(later(24 * HOUR_MS)), NOW);
    const enabledAt = later(40 * HOUR_MS);
    for (const status of ["disabled", "active"]) {
      await sql`
        select switchyard_api.update_callback(
          ${tenancy.tenantId}, ${endpointId}, ${sql.json({ status })}, '{}', ${enabledAt})`;
    }
    const claims = await claimCallbacks(sql, enabledAt);
    assert.deepEqual(
      await settleCallbacks(sql, claims, failed(later(41 * HOUR_MS)), enabledAt),
      ["retried"],
    );
  }));

Deno.test("410 disables the endpoint at once: what waits stays, what comes is not kept", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    const endpointId = await addEndpoint(sql, tenancy);
    await emit(sql, [anEvent(tenancy, { data: { n: 1 } })], NOW);
    const gone = () => ({
      outcome: "gone",
      due_at: later(MINUTE_MS),
      failure: { cause: "http_status", http_status: 410 },
    });
    const claims = await claimCallbacks(sql, NOW);
    assert.deepEqual(await settleCallbacks(sql, claims, gone, NOW), ["paused"]);
    const endpoint = await endpointOf(sql, endpointId);
    assert.deepEqual([endpoint.status, endpoint.status_reason], ["disabled", "gone"]);
    assert.deepEqual(await auditActions(sql), ["callback.created", "callback.disabled"]);
    await emit(sql, [anEvent(tenancy, { data: { n: 2 } })], later(HOUR_MS));
    const [row] = await sql`select count(*)::integer as events from switchyard.callback_events`;
    assert.equal(row!.events, 1);
  }));

Deno.test("a held endpoint is not read before its time, and a success ends a row of failures", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    const endpointId = await addEndpoint(sql, tenancy);
    await emit(sql, [anEvent(tenancy)], NOW);
    await settleCallbacks(sql, await claimCallbacks(sql, NOW), failed(later(1_000)), NOW);
    assert.equal((await endpointOf(sql, endpointId)).failure_count, 1);
    await sql`
      select switchyard_api.hold_callbacks(${sql.json([endpointId])}, ${later(MINUTE_MS)})`;
    assert.deepEqual(await claimCallbacks(sql, later(59_000)), []);
    const claims = await claimCallbacks(sql, later(MINUTE_MS));
    await settleCallbacks(sql, claims, delivered, later(MINUTE_MS));
    const { failure_count, failing_since } = await endpointOf(sql, endpointId);
    assert.deepEqual([failure_count, failing_since], [0, null]);
  }));

Deno.test("what an operator's reset lets go goes at once", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    const endpointId = await addEndpoint(sql, tenancy);
    const neighbourId = await addEndpoint(sql, tenancy);
    await emit(sql, [anEvent(tenancy)], NOW);
    const ids = sql.json([endpointId, neighbourId]);
    await sql`select switchyard_api.hold_callbacks(${ids}, ${later(MINUTE_MS)})`;
    await sql`select switchyard_api.note_breaker_change(${`callback:${endpointId}`}, 'reset', '{}')`;
    const claims = await claimCallbacks(sql, NOW);
    assert.deepEqual(claims.map(({ endpoint_id }) => endpoint_id), [endpointId]);
  }));

Deno.test("a delivery that was not called for stays as it was, due when it says", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await addEndpoint(sql, tenancy);
    await emit(sql, [anEvent(tenancy)], NOW);
    const deferred = () => ({ outcome: "deferred", due_at: later(5_000) });
    assert.deepEqual(await settleCallbacks(sql, await claimCallbacks(sql, NOW), deferred, NOW), [
      "deferred",
    ]);
    assert.deepEqual(await claimCallbacks(sql, later(4_000)), []);
    const [again] = await claimCallbacks(sql, later(5_000));
    assert.deepEqual([again!.attempt, again!.failure_count], [2, 0]);
  }));

Deno.test("prune_callbacks() deletes what is older than settings say, waiting or not, and its line goes on", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await addEndpoint(sql, tenancy);
    await emit(sql, [anEvent(tenancy, { data: { n: 1 } })], NOW);
    await claimCallbacks(sql, NOW);
    const kept = later(HOUR_MS);
    await emit(sql, [anEvent(tenancy, { data: { n: 2 } })], kept);
    const pruneAt = later(7 * 24 * HOUR_MS);
    await claimCallbacks(sql, kept);
    const [row] = await sql`select switchyard.prune_callbacks(${pruneAt}, 100) as pruned`;
    assert.equal(row!.pruned, 1);
    assert.deepEqual(contents(await claimCallbacks(sql, pruneAt)), [2]);
  }));

Deno.test("a removed endpoint gets nothing more, and is swept away with its deliveries and secrets", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    const endpointId = await addEndpoint(sql, tenancy);
    await emit(sql, [anEvent(tenancy)], NOW);
    await sql`select switchyard_api.delete_callback(${tenancy.tenantId}, ${endpointId}, '{}')`;
    assert.deepEqual(await claimCallbacks(sql, NOW), []);
    await sql`select switchyard.prune_callbacks(${NOW}, 100)`;
    const [row] = await sql`
      select (select count(*)::integer from switchyard.callback_endpoints) as endpoints,
        (select count(*)::integer from switchyard.callback_deliveries) as deliveries,
        (select count(*)::integer from vault.secrets where name like 'switchyard/callback/%') as secrets`;
    assert.deepEqual({ ...row }, { endpoints: 0, deliveries: 0, secrets: 0 });
  }));
