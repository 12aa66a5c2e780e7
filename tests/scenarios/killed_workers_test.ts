import { strict as assert } from "node:assert";

import { type BreakablePlatform, withBreakablePlatform } from "../support/breakable_platform.ts";
import { eventually } from "../support/eventually.ts";
import { keepWaiting, loseAnswer } from "../support/graph_proxy.ts";
import { endGrace, endLeases, makeDue } from "../support/passing_time.ts";
import { aPhoneNumber, type Tenant } from "../support/platform.ts";
import { openPlatformDatabase } from "../support/platform_database.ts";
import { acceptedIds, outcomesOf, post, readMessage, untilStatus } from "../support/sending.ts";

/** Posts two messages to one recipient and returns when the call for the first one has arrived. */
async function postTwo(
  { graph }: BreakablePlatform,
  tenant: Tenant,
): Promise<[first: string, second: string]> {
  const before = graph.arrived();
  const to = aPhoneNumber();
  const first = await post(tenant, { to });
  const second = await post(tenant, { to });
  await eventually(() => Promise.resolve(graph.arrived()), (count) => count > before);
  return [first, second];
}

/** A worker was lost with the first message, which Meta never got: it is sent again, then the second. */
async function assertSentAgainInOrder(
  { platform, sql }: BreakablePlatform,
  tenant: Tenant,
  [first, second]: [string, string],
): Promise<void> {
  await endLeases(sql, tenant.id);
  await untilStatus(tenant, first, "outcome_unknown");
  assert.equal((await readMessage(tenant, second)).status, "queued");
  await endGrace(sql, tenant.id);
  await untilStatus(tenant, second, "read");
  const message = await untilStatus(tenant, first, "read");
  assert.deepEqual(outcomesOf(message), ["unknown", "accepted"]);
  assert.equal(message.attempts[0]!.error?.cause, "worker_lost");
  assert.deepEqual(await acceptedIds(platform, tenant), [first, second]);
}

async function killedBeforeTheCall(breakable: BreakablePlatform): Promise<void> {
  const { platform, graph, sql, kill } = breakable;
  // What a new worker preloads is asked for before the lock, behind which the claim would wait too.
  await platform.api("/wa-sender", { method: "POST" });
  const tenant = await platform.createTenant();
  const calls = graph.arrived();
  const to = aPhoneNumber();
  const send_at = new Date(Date.now() + 3_600_000).toISOString();
  const ids: [string, string] = [
    await post(tenant, { to, send_at }),
    await post(tenant, { to, send_at }),
  ];
  await using database = openPlatformDatabase(platform);
  await database.sql.begin(async (transaction) => {
    // Whoever claims from now on waits for the sender's token, also if one was preloaded.
    await transaction`lock table vault.secrets in access exclusive mode`;
    await sql`select switchyard_api.invalidate_credential(${tenant.phoneNumberId}, '{}')`;
    await makeDue(sql, tenant.id);
    const draining = platform.api("/wa-sender", { method: "POST" });
    const claimed = () =>
      sql`select from switchyard.messages where id = ${ids[0]} and status = 'sending'`;
    await eventually(() => claimed(), ({ length }) => length > 0, { intervalMs: 20 });
    await kill("wa-sender");
    await draining;
  });
  assert.equal(graph.arrived(), calls);
  await assertSentAgainInOrder(breakable, tenant, ids);
}

async function killedAfterTheRequest(breakable: BreakablePlatform): Promise<void> {
  const { platform, graph, kill } = breakable;
  const tenant = await platform.createTenant();
  graph.treat(keepWaiting);
  const ids = await postTwo(breakable, tenant);
  await kill("wa-sender");
  graph.treat((forward) => forward());
  await assertSentAgainInOrder(breakable, tenant, ids);
}

async function killedBeforeTheAnswer(breakable: BreakablePlatform): Promise<void> {
  const { platform, graph, sql, kill } = breakable;
  const tenant = await platform.createTenant();
  graph.treat(loseAnswer);
  const [first, second] = await postTwo(breakable, tenant);
  await kill("wa-sender");
  graph.treat((forward) => forward());
  await untilStatus(tenant, first, "read");
  await endLeases(sql, tenant.id);
  await untilStatus(tenant, second, "read");
  assert.deepEqual(await acceptedIds(platform, tenant), [first, second]);
}

async function killedBeforeSettling(breakable: BreakablePlatform): Promise<void> {
  const { platform, graph, sql, kill } = breakable;
  const tenant = await platform.createTenant();
  const answering = Promise.withResolvers<void>();
  graph.treat(async (forward) => {
    await answering.promise;
    return await forward();
  });
  const [first, second] = await postTwo(breakable, tenant);
  await using database = openPlatformDatabase(platform);
  await database.sql.begin(async (transaction) => {
    await transaction`select from switchyard.messages where id = ${first} for update`;
    answering.resolve();
    const settling = () =>
      sql`
        select from pg_stat_activity
        where wait_event_type = 'Lock' and query like '%settle_messages%'`;
    await eventually(() => settling(), ({ length }) => length > 0);
    await kill("wa-sender");
  });
  graph.treat((forward) => forward());
  await untilStatus(tenant, first, "read");
  await endLeases(sql, tenant.id);
  await untilStatus(tenant, second, "read");
  assert.deepEqual(await acceptedIds(platform, tenant), [first, second]);
}

Deno.test("kill -9 of a worker loses no message and sends none twice", (t) =>
  withBreakablePlatform(async (breakable) => {
    const step = (title: string, run: (breakable: BreakablePlatform) => Promise<void>) =>
      t.step(title, () => run(breakable));
    await step("before the call: another worker sends it, and then the next", killedBeforeTheCall);
    await step(
      "after the request was written, which Meta never took: sent again, and then the next",
      killedAfterTheRequest,
    );
    await step(
      "after Meta took it, before the answer: the status settles it, and the next goes",
      killedBeforeTheAnswer,
    );
    await step(
      "after the answer, before it is settled: sent once, and the next goes",
      killedBeforeSettling,
    );
  }));
