import { strict as assert } from "node:assert";

import { createBreakerSign } from "../../supabase/functions/_shared/credentials/breaker_sign.ts";
import type { CredentialLayers } from "../../supabase/functions/_shared/credentials/credentials.ts";
import type { SenderVersion } from "../../supabase/functions/_shared/credentials/credentials.ts";
import { createPreload } from "../../supabase/functions/_shared/credentials/preload.ts";
import { openRedis } from "../../supabase/functions/_shared/redis.ts";
import { createStatisticsStore } from "../../supabase/functions/_shared/credentials/statistics_store.ts";
import { createOutboundQueue } from "../../supabase/functions/_shared/queue/outbound.ts";
import { runtime } from "../../supabase/functions/_shared/runtime.ts";
import { createLog } from "../../supabase/functions/_shared/telemetry/log.ts";
import {
  type CredentialGround,
  senderOf,
  startCredentialGround,
} from "../support/credential_isolates.ts";
import { anItem, enqueue } from "../support/outbound.ts";
import { createTenancy } from "../support/tenancy.ts";

const actor = { kind: "secret" };

function onGround(title: string, test: (ground: CredentialGround) => Promise<void>): void {
  Deno.test(title, async () => {
    await using ground = await startCredentialGround();
    await test(ground);
  });
}

async function tokenOf(credentials: CredentialLayers, sender: SenderVersion, generation = 1) {
  const [found] = await credentials.find([sender], generation);
  assert.ok(found !== undefined);
  return found.found ? found.accessToken : found.reason;
}

async function keysIn({ redis }: CredentialGround): Promise<string[]> {
  return await redis.command(["KEYS", "switchyard:credential:*"]) as string[];
}

onGround(
  "a token that rotate_credential replaced is sent with from the next claim on",
  async (ground) => {
    const { sql, callRpc, startIsolate } = ground;
    const tenancy = await createTenancy(sql);
    const items = ["+15550200001", "+15550200002"].map((to) => anItem(tenancy, { to }));
    await enqueue(sql, tenancy, items, new Date());
    const queue = createOutboundQueue(callRpc, {
      worker: "test",
      leaseSeconds: 60,
      countDepthTo: 1,
    });
    const isolates = [startIsolate(), startIsolate()];
    const findNext = async () => {
      const claimed = await queue.claim(1);
      assert.equal(claimed.length, 1);
      return await Promise.all(isolates.map(async ({ credentials, settle }) => {
        const token = await tokenOf(credentials, claimed[0]!, claimed[0]!.cacheGeneration);
        await settle();
        return token;
      }));
    };
    const old = `token-of-${tenancy.phoneNumberId}`;
    assert.deepEqual(await findNext(), [old, old]);
    await callRpc("rotate_credential", {
      tenant_id: tenancy.tenantId,
      phone_number_id: tenancy.phoneNumberId,
      access_token: "rotated",
      actor,
    });
    assert.deepEqual(await findNext(), ["rotated", "rotated"]);
  },
);

onGround("an isolate has from Redis what another one read from the database", async (ground) => {
  const tenancies = await Promise.all([1, 2].map(() => createTenancy(ground.sql)));
  const senders = tenancies.map((tenancy) => senderOf(tenancy));
  const first = ground.startIsolate();
  await first.credentials.find(senders, 1);
  await first.settle();
  const second = ground.startIsolate();
  const found = await second.credentials.find(senders, 1);
  assert.deepEqual(
    found.map((it) => it.found && it.accessToken),
    tenancies.map(({ phoneNumberId }) => `token-of-${phoneNumberId}`),
  );
  assert.deepEqual(first.reads, [senders.map(({ senderId }) => senderId)]);
  assert.deepEqual(second.reads, []);
  assert.equal(second.credentials.statistics().l2_hits, 2);
});

onGround("Redis holds no token in the clear, and none for more than an hour", async (ground) => {
  const tenancy = await createTenancy(ground.sql);
  const isolate = ground.startIsolate();
  const token = await tokenOf(isolate.credentials, senderOf(tenancy));
  await isolate.settle();
  const [key, ...others] = await keysIn(ground);
  assert.equal(key, `switchyard:credential:1:${tenancy.senderId}:1`);
  assert.deepEqual(others, []);
  const envelope = String(await ground.redis.command(["GET", key!]));
  assert.match(envelope, /^k1\./);
  assert.ok(!envelope.includes(token) && !atob(envelope.slice(3)).includes(token));
  const lifetime = Number(await ground.redis.command(["TTL", key!]));
  assert.ok(lifetime > 3_500 && lifetime <= 3_600, `${lifetime} s`);
});

onGround(
  "an envelope that was copied to another sender's key is refused and told once",
  async (ground) => {
    const [victim, other] = await Promise.all([1, 2].map(() => createTenancy(ground.sql)));
    const writer = ground.startIsolate();
    await tokenOf(writer.credentials, senderOf(other!));
    await writer.settle();
    const [from] = await keysIn(ground);
    const envelope = String(await ground.redis.command(["GET", from!]));
    const to = `switchyard:credential:1:${victim!.senderId}:1`;
    await ground.redis.command(["SET", to, envelope]);

    const isolate = ground.startIsolate();
    assert.equal(
      await tokenOf(isolate.credentials, senderOf(victim!)),
      `token-of-${victim!.phoneNumberId}`,
    );
    assert.deepEqual(isolate.reads, [[victim!.senderId]]);
    const told = isolate.log.filter((line) => line.includes("credentials.envelope_refused"));
    assert.equal(told.length, 1);
    assert.ok(!told[0]!.includes(envelope));
  },
);

onGround("a rotated encryption key opens what the one before it sealed", async (ground) => {
  const tenancy = await createTenancy(ground.sql);
  const before = ground.startIsolate({ keyIds: ["k1"] });
  const token = await tokenOf(before.credentials, senderOf(tenancy));
  await before.settle();
  const after = ground.startIsolate({ keyIds: ["k2", "k1"] });
  assert.equal(await tokenOf(after.credentials, senderOf(tenancy)), token);
  assert.deepEqual(after.reads, []);
  const withoutOld = ground.startIsolate({ keyIds: ["k2"] });
  assert.equal(await tokenOf(withoutOld.credentials, senderOf(tenancy)), token);
  assert.equal(withoutOld.reads.length, 1);
});

onGround(
  "without encryption keys nothing is stored in Redis and everything works",
  async (ground) => {
    const tenancy = await createTenancy(ground.sql);
    const isolate = ground.startIsolate({ keyIds: null });
    assert.equal(
      await tokenOf(isolate.credentials, senderOf(tenancy)),
      `token-of-${tenancy.phoneNumberId}`,
    );
    await isolate.settle();
    assert.deepEqual(await keysIn(ground), []);
  },
);

onGround(
  "bump_cache_generation and invalidate_credential put Redis out of reach too",
  async (ground) => {
    const tenancy = await createTenancy(ground.sql);
    const { credentials, reads, settle } = ground.startIsolate();
    await tokenOf(credentials, senderOf(tenancy));
    await settle();
    const generation = Number(await ground.callRpc("bump_cache_generation", { actor }));
    await tokenOf(credentials, senderOf(tenancy), generation);
    assert.equal(reads.length, 2);
    await settle();
    const { phoneNumberId: phone_number_id } = tenancy;
    await ground.callRpc("invalidate_credential", { phone_number_id, actor });
    await tokenOf(credentials, senderOf(tenancy, 2), generation);
    assert.equal(reads.length, 3);
  },
);

onGround(
  "a token that was put right in Vault by hand is used once Meta refused the old one",
  async (ground) => {
    const tenancy = await createTenancy(ground.sql);
    const writer = ground.startIsolate();
    await tokenOf(writer.credentials, senderOf(tenancy));
    await writer.settle();
    await ground.sql`
    select vault.update_secret(credential_id, 'by-hand') from switchyard.senders
    where id = ${tenancy.senderId}`;
    const { credentials, settle } = ground.startIsolate();
    const sender = senderOf(tenancy);
    assert.equal(await tokenOf(credentials, sender), `token-of-${tenancy.phoneNumberId}`);
    credentials.forget(sender);
    assert.equal(await tokenOf(credentials, sender), "by-hand");
    await settle();
    assert.equal(await tokenOf(ground.startIsolate().credentials, sender), "by-hand");
  },
);

onGround(
  "a removed sender has no credential and a paused one still has its own",
  async (ground) => {
    const [removed, paused] = await Promise.all([1, 2].map(() => createTenancy(ground.sql)));
    await ground.sql`
    update switchyard.senders set status = 'removed' where id = ${removed!.senderId}`;
    await ground.sql`update switchyard.senders set status = 'paused' where id = ${
      paused!.senderId
    }`;
    const { credentials, settle } = ground.startIsolate();
    assert.equal(await tokenOf(credentials, senderOf(removed!)), "not_found");
    assert.equal(
      await tokenOf(credentials, senderOf(paused!)),
      `token-of-${paused!.phoneNumberId}`,
    );
    await settle();
    assert.deepEqual(await keysIn(ground), [`switchyard:credential:1:${paused!.senderId}:1`]);
  },
);

onGround("1,000 claims that miss at once are one database read", async (ground) => {
  const tenancy = await createTenancy(ground.sql);
  const { credentials, reads } = ground.startIsolate();
  const sender = senderOf(tenancy);
  const tokens = await Promise.all(
    Array.from({ length: 1_000 }, () => tokenOf(credentials, sender)),
  );
  assert.deepEqual(reads, [[tenancy.senderId]]);
  assert.deepEqual(new Set(tokens), new Set([`token-of-${tenancy.phoneNumberId}`]));
});

onGround("Redis that goes in the middle of the run costs nobody his token", async (ground) => {
  const tenancies = await Promise.all([1, 2, 3].map(() => createTenancy(ground.sql)));
  const { credentials, reads, log, settle } = ground.startIsolate();
  for (const [nth, tenancy] of tenancies.entries()) {
    if (nth === 1) await ground.stopRedis();
    assert.equal(
      await tokenOf(credentials, senderOf(tenancy)),
      `token-of-${tenancy.phoneNumberId}`,
    );
  }
  await settle();
  assert.equal(reads.length, 3);
  const lost = log.filter((line) => line.includes("credentials.shared_cache_lost"));
  assert.deepEqual(lost.map((line) => JSON.parse(line).action).sort(), ["read", "write"]);
});

onGround("Redis that is slow by seconds costs half a second once", async (ground) => {
  const tenancies = await Promise.all([1, 2].map(() => createTenancy(ground.sql)));
  const released = Promise.withResolvers<void>();
  const asked: string[] = [];
  const slow = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    async (request) => {
      asked.push(new URL(request.url).pathname);
      await request.body?.cancel();
      await released.promise;
      return Response.json({ result: [null] });
    },
  );
  const redisUrl = `http://127.0.0.1:${slow.addr.port}`;
  const { credentials, log, settle } = ground.startIsolate({ redisUrl });
  const startedAt = performance.now();
  for (const tenancy of tenancies) {
    assert.equal(
      await tokenOf(credentials, senderOf(tenancy)),
      `token-of-${tenancy.phoneNumberId}`,
    );
  }
  const tookMs = performance.now() - startedAt;
  assert.ok(tookMs >= 450 && tookMs < 2_500, `${tookMs} ms`);
  await settle();
  // What is stored is not waited for, and may be asked for once more meanwhile.
  assert.equal(asked.filter((path) => path === "/").length, 1);
  assert.match(log.join(), /TimeoutError/);
  released.resolve();
  await slow.shutdown();
});

onGround(
  "a Redis that refuses to store is still read, and its errors tell no envelope",
  async (ground) => {
    const [known, other] = await Promise.all([1, 2].map(() => createTenancy(ground.sql)));
    const writer = ground.startIsolate();
    await tokenOf(writer.credentials, senderOf(known!));
    await writer.settle();
    const refusing = Deno.serve(
      { port: 0, hostname: "127.0.0.1", onListen: () => {} },
      async (request) => {
        const body = await request.text();
        if (new URL(request.url).pathname === "/pipeline") {
          return Response.json({ error: "OOM command not allowed" }, { status: 400 });
        }
        const [name, ...args] = JSON.parse(body);
        return Response.json({ result: await ground.redis.command([name, ...args]) });
      },
    );
    const redisUrl = `http://127.0.0.1:${refusing.addr.port}`;
    const { credentials, reads, log, settle } = ground.startIsolate({ redisUrl });
    await tokenOf(credentials, senderOf(other!));
    await settle();
    await tokenOf(credentials, senderOf(known!));
    assert.deepEqual(reads, [[other!.senderId]]);
    assert.match(log.join(), /OOM command not allowed/);
    assert.doesNotMatch(log.join(), /k1\./);
    await refusing.shutdown();
  },
);

onGround("the counters of all isolates add up in Redis, by layer", async (ground) => {
  const tenancy = await createTenancy(ground.sql);
  const isolates = [ground.startIsolate(), ground.startIsolate()];
  for (const { credentials, reportStatistics, settle } of isolates) {
    await tokenOf(credentials, senderOf(tenancy));
    await tokenOf(credentials, senderOf(tenancy));
    await settle();
    await reportStatistics();
    await reportStatistics();
  }
  const store = createStatisticsStore(ground.redisConfig, runtime.deadline);
  assert.deepEqual(await store?.read(), {
    total_requests: 4,
    cache_hits: 3,
    l1_hits: 2,
    l2_hits: 1,
    stale_hits: 0,
    db_hits: 1,
    fallback_hits: 0,
    failures: 0,
  });
  await store?.clear();
  assert.equal((await store?.read())?.total_requests, 0);
});

onGround("an isolate that gives up the database for a while says so in Redis", async (ground) => {
  const redis = openRedis(ground.redisConfig, { deadline: runtime.deadline, timeoutMs: 1_000 });
  const sign = createBreakerSign(redis!);
  assert.equal(await sign.isRaised(), false);
  const tenancy = await createTenancy(ground.sql);
  const { credentials, settle } = ground.startIsolate();
  await ground.sql`alter function switchyard_api.read_credentials(jsonb) rename to gone`;
  for (let nth = 0; nth < 5; nth++) {
    assert.equal(await tokenOf(credentials, senderOf(tenancy)), "unavailable");
  }
  await settle();
  assert.equal(await sign.isRaised(), true);
});

onGround("a new isolate preloads the tokens of who has messages due next, and no others", async ({
  sql,
  callRpc,
  startIsolate,
}) => {
  const [later, idle, paused, suspended, sooner] = [
    await createTenancy(sql),
    await createTenancy(sql),
    await createTenancy(sql),
    await createTenancy(sql),
    await createTenancy(sql),
  ];
  const at = Date.now();
  for (const tenancy of [paused, suspended, sooner]) {
    await enqueue(sql, tenancy, [anItem(tenancy)], new Date(at));
  }
  await enqueue(sql, later, [anItem(later)], new Date(at + 60_000));
  await sql`update switchyard.senders set status = 'paused' where id = ${paused.senderId}`;
  await sql`update switchyard.tenants set status = 'suspended' where id = ${suspended.tenantId}`;
  const rows = await callRpc("senders_to_preload", { most: 10 });
  assert.deepEqual(
    new Set(rows.map((row) => row.sender_id)),
    new Set([sooner.senderId, later.senderId]),
  );
  const [first] = await callRpc("senders_to_preload", { most: 1 });
  assert.equal(first?.sender_id, sooner.senderId);

  const { credentials, reads } = startIsolate();
  const log = createLog({ write: () => {}, now: () => 0, fields: {} });
  await createPreload({ call: callRpc, credentials, log, most: 10 })();
  assert.equal(reads.length, 1);
  await tokenOf(credentials, senderOf(sooner), first!.cache_generation);
  await tokenOf(credentials, senderOf(later), first!.cache_generation);
  assert.equal(reads.length, 1);
  await tokenOf(credentials, senderOf(idle), first!.cache_generation);
  assert.equal(reads.length, 2);
});
