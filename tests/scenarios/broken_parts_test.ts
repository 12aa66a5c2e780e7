import { strict as assert } from "node:assert";

import { type BreakablePlatform, withBreakablePlatform } from "../support/breakable_platform.ts";
import { eventually } from "../support/eventually.ts";
import { endEventLeases, endGrace, endLeases, endWaits } from "../support/passing_time.ts";
import type { Platform, Tenant } from "../support/platform.ts";
import { acceptedIds, callsOf, post, postToMany } from "../support/sending.ts";

async function untilAllAreRead({ sql }: BreakablePlatform, tenant: Tenant): Promise<void> {
  const others = () =>
    sql`
      select status, waiting_for, count(*) from switchyard.messages
      where tenant_id = ${tenant.id} and status <> 'read' group by status, waiting_for`;
  const isNone = ({ length }: unknown[]) => length === 0;
  await eventually(() => others(), isNone, { timeoutMs: 45_000, intervalMs: 200 });
}

async function errorPagesForAMinute(breakable: BreakablePlatform): Promise<void> {
  const { platform, graph, sql } = breakable;
  const tenant = await platform.createTenant({ throughput_per_second: 1_000 });
  graph.treat(() => new Response("<h1>Bad Gateway</h1>", { status: 500 }));
  const ids = await postToMany(tenant, 40);
  const counts = () =>
    sql<{ unknown: number; waiting: number }[]>`
      select count(*) filter (where status = 'outcome_unknown') as unknown,
        count(*) filter (where waiting_for like 'breaker:%') as waiting
      from switchyard.messages where tenant_id = ${tenant.id}`.then(([row]) => row!);
  const { unknown } = await eventually(
    counts,
    ({ unknown, waiting }) => unknown + waiting === ids.length,
  );
  // The breaker opens after five in a row; what was under way by then is unknown too.
  assert.ok(unknown >= 5 && unknown < ids.length, `${unknown} are unknown`);
  const calls = graph.arrived();
  assert.equal((await platform.api("/wa-sender", { method: "POST" })).status, 200);
  assert.equal(graph.arrived(), calls);

  graph.treat((forward) => forward());
  for (const scope of ["app", `tenant:${tenant.id}`]) {
    await platform.api(`/admin/breakers/${encodeURIComponent(scope)}/reset`, { body: {} });
  }
  await endWaits(sql, tenant.id);
  await endGrace(sql, tenant.id);
  await untilAllAreRead(breakable, tenant);
  assert.deepEqual((await acceptedIds(platform, tenant)).toSorted(), ids.toSorted());
}

async function postgresDiesInADrain(breakable: BreakablePlatform): Promise<void> {
  const { platform, dir, sql, graph, kill } = breakable;
  const tenant = await platform.createTenant({ throughput_per_second: 1_000 });
  // Slow enough for a drain to be under way when it happens.
  graph.treat(async (forward) => {
    const answer = await forward();
    await new Promise((resolve) => setTimeout(resolve, 100));
    return answer;
  });
  const ids = await postToMany(tenant, 400);
  await callsOf(platform, tenant, 100);
  const pidFile = await Deno.readTextFile(`${dir}/postgres/cluster/postmaster.pid`);
  Deno.kill(Number(pidFile.split("\n")[0]), "SIGKILL");
  graph.treat((forward) => forward());

  // What the worker knows it writes down as soon as it can, and ends; the rest is as after its death.
  const drain = () => platform.api("/wa-sender", { method: "POST" });
  await eventually(() => drain(), ({ status }) => status === 200, { timeoutMs: 45_000 });
  await kill("wa-sender");
  await endLeases(sql, tenant.id);
  await endEventLeases(sql);
  const unclear = () =>
    sql`
      select from switchyard.messages
      where tenant_id = ${tenant.id} and status in ('sending', 'outcome_unknown', 'queued')`;
  await eventually(
    async () => {
      await endGraceWhenAllIsReported(breakable, tenant);
      return await unclear();
    },
    ({ length }) => length === 0,
    { timeoutMs: 45_000, intervalMs: 500 },
  );
  await untilAllAreRead(breakable, tenant);
  assert.deepEqual((await acceptedIds(platform, tenant)).toSorted(), ids.toSorted());
}

/** Webhooks that were refused come again now; the grace ends once all of them are applied. */
async function endGraceWhenAllIsReported(
  { platform, sql }: BreakablePlatform,
  tenant: Tenant,
): Promise<void> {
  const control = `${platform.env.SIMULATOR_URL}/_control`;
  await fetch(`${control}/webhooks/retry`, { method: "POST" }).then((it) => it.body?.cancel());
  const { idle, waiting_for_retry } = await (await fetch(`${control}/idle?timeout_ms=2000`)).json();
  const pending = await sql`select from switchyard.inbound_events where state = 'pending'`;
  if (idle && waiting_for_retry === 0 && pending.length === 0) await endGrace(sql, tenant.id);
}

async function askRedis({ env }: Platform, ...command: string[]): Promise<number> {
  const response = await fetch(env.UPSTASH_REDIS_REST_URL!, {
    method: "POST",
    headers: { authorization: `Bearer ${env.UPSTASH_REDIS_REST_TOKEN}` },
    body: JSON.stringify(command),
  });
  await response.body?.cancel();
  return response.status;
}

async function sendsAsEver(
  breakable: BreakablePlatform,
  duringIt: () => Promise<unknown> = () => Promise.resolve(),
): Promise<void> {
  const { platform } = breakable;
  const tenant = await platform.createTenant({ throughput_per_second: 100 });
  const ids = await postToMany(tenant, 60);
  await callsOf(platform, tenant, 10);
  await duringIt();
  await untilAllAreRead(breakable, tenant);
  assert.deepEqual((await acceptedIds(platform, tenant)).toSorted(), ids.toSorted());
}

/** Redis answers nothing for two seconds, again and again, until the returned function is called. */
function slowDownRedis(platform: Platform): () => Promise<void> {
  let isSlow = true;
  // A pause holds up the next one too: each begins when the last one ends.
  const slowing = (async () => {
    while (isSlow) await askRedis(platform, "CLIENT", "PAUSE", "2000", "ALL");
  })();
  return async () => {
    isSlow = false;
    await slowing;
  };
}

async function withRedisBroken(breakable: BreakablePlatform, t: Deno.TestContext): Promise<void> {
  const { platform, kill } = breakable;
  await t.step("answers after two seconds", async () => {
    const stop = slowDownRedis(platform);
    await sendsAsEver(breakable);
    await stop();
  });
  await t.step("full: every write is refused", async () => {
    await eventually(() => askRedis(platform, "PING"), (status) => status === 200);
    assert.equal(await askRedis(platform, "CONFIG", "SET", "maxmemory", "1"), 200);
    await sendsAsEver(breakable);
    assert.equal(await askRedis(platform, "CONFIG", "SET", "maxmemory", "0"), 200);
  });
  await t.step("gone in the middle", () =>
    sendsAsEver(breakable, async () => {
      await askRedis(platform, "SHUTDOWN", "NOSAVE");
      await post(await platform.createTenant());
    }));
  await t.step("gone for the whole run of a worker", async () => {
    await kill("wa-sender");
    assert.notEqual(await askRedis(platform, "PING"), 200);
    await sendsAsEver(breakable);
  });
}

Deno.test("parts that break lose no message and send none twice", (t) =>
  withBreakablePlatform(async (breakable) => {
    await t.step(
      "a Graph API that answers error pages for a minute: all goes once when it is back",
      () => errorPagesForAMinute(breakable),
    );
    await t.step(
      "Postgres dies in the middle of a drain: every message goes once",
      () => postgresDiesInADrain(breakable),
    );
    await t.step({
      name: "Redis that is slow, full or gone holds no message up",
      // Nothing of the one in the platform's own process can be broken alone.
      ignore: breakable.output().includes("Redis in this process"),
      fn: (redis) => withRedisBroken(breakable, redis),
    });
  }));
