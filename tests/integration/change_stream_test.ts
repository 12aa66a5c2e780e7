import { strict as assert } from "node:assert";

import { createHandler } from "../../supabase/functions/wa-conversations/conversations.ts";
import { serve } from "../../supabase/functions/_shared/http/serve.ts";
import { createLog } from "../../supabase/functions/_shared/telemetry/log.ts";
import { startTestDataApi } from "../support/data_api.ts";
import { createDatabase, type Sql } from "../support/database.ts";
import { eventually } from "../support/eventually.ts";
import { readEvents, type StreamedEvent } from "../support/event_stream.ts";
import { NO_MEDIA } from "../support/media.ts";
import { accepted, anItem, claim, enqueue, settle } from "../support/outbound.ts";
import { seconds, startReceiving } from "../support/receiving.ts";
import { createTenancy, type Tenancy } from "../support/tenancy.ts";

async function setUp() {
  const database = await createDatabase();
  const api = await startTestDataApi(database);
  const receiving = startReceiving(api);
  const log = createLog({ write: () => {}, now: Date.now, fields: {} });
  const stop = new AbortController();
  let passed = 0;
  const handler = serve(
    "wa-conversations",
    createHandler({
      ...receiving.project,
      now: () => Date.now() + passed,
      // Others get their turn.
      sleep: () => new Promise((resolve) => setTimeout(resolve, 20)),
      stopping: stop.signal,
      ...NO_MEDIA,
    }),
    { log, now: Date.now },
  );
  const ask = ({ tenantId }: Tenancy, lastId: string | null = null) =>
    handler(
      new Request("http://localhost/wa-conversations/events", {
        headers: {
          apikey: api.secretKey,
          "x-tenant-id": tenantId,
          ...(lastId === null ? {} : { "last-event-id": lastId }),
        },
      }),
    );
  const open = async (tenancy: Tenancy, lastId: string | null = null) => {
    const response = await ask(tenancy, lastId);
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("content-type"), "text/event-stream; charset=utf-8");
    const events = readEvents(response);
    const ready = await events.next();
    assert.equal(ready?.event, "ready");
    return { ...events, resumed: ready.data.resumed };
  };
  return {
    ...{ api, database, sql: database.sql, stop, ask, open, ...receiving },
    letPass: (ms: number) => passed += ms,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await api[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
    },
  };
}

const wordsOf = (data: Record<string, unknown>) =>
  (data.message as { text?: { body: string } } | undefined)?.text?.body;

Deno.test("each of two tenants hears of its own conversations alone", async () => {
  await using stage = await setUp();
  const [ours, theirs] = [await createTenancy(stage.sql), await createTenancy(stage.sql)];
  const [at, atTheirs] = [await stage.open(ours), await stage.open(theirs)];
  assert.deepEqual([at.resumed, atTheirs.resumed], [false, false]);
  await stage.receiveMessage(ours, { text: { body: "to us" } });
  await stage.receiveMessage(theirs, { text: { body: "to them" } });
  await stage.receiveMessage(ours, { text: { body: "to us again" } });
  const told = (heard: StreamedEvent[]) => heard.map(({ event, data }) => [event, wordsOf(data)]);
  assert.deepEqual(told(await at.take(3)), [
    ["conversation", undefined],
    ["message", "to us"],
    ["message", "to us again"],
  ]);
  assert.deepEqual(told(await atTheirs.take(2)), [
    ["conversation", undefined],
    ["message", "to them"],
  ]);
  stage.stop.abort();
  assert.deepEqual([await at.next(), await atTheirs.next()], [null, null]);
});

Deno.test("what was sent is heard of whenever its status changes", async () => {
  await using stage = await setUp();
  const { sql } = stage;
  const tenancy = await createTenancy(sql);
  const now = new Date();
  await stage.receiveMessage(tenancy, { timestamp: seconds(now.toISOString().slice(0, 19) + "Z") });
  const [conversation] = await sql`select id from switchyard.conversations`;
  const events = await stage.open(tenancy);
  const [answer] = await enqueue(sql, tenancy, [anItem(tenancy, { to: "+16505551234" })], now);
  const [sending] = await claim(sql, 1, now);
  await settle(sql, [sending!], accepted, now);
  await stage.receive(tenancy, {
    statuses: [{
      id: `wamid.${sending!.id}`,
      status: "delivered",
      timestamp: String(Math.floor(now.getTime() / 1_000)),
      recipient_id: "16505551234",
    }],
  });
  const seen = [];
  for (let status = ""; status !== "delivered";) {
    const { data } = (await events.next())!;
    const { id, direction, status: told } = data.message as Record<string, string>;
    seen.push([data.conversation_id, id, direction]);
    status = told!;
  }
  assert.ok(seen.length >= 2);
  assert.deepEqual(
    new Set(seen.map(String)),
    new Set([
      String([conversation!.id, answer!.id, "outbound"]),
    ]),
  );
  await events.leave();
});

Deno.test("who comes again and again misses nothing and hears nothing twice", async () => {
  await using stage = await setUp();
  const { sql } = stage;
  const tenancy = await createTenancy(sql);
  await stage.receiveMessage(tenancy);
  const [conversation] = await sql`select id from switchyard.conversations`;
  let events = await stage.open(tenancy);

  const writers = Array.from({ length: 4 }, () => stage.database.connect());
  const writing = Promise.all(writers.map(async (writer, lane) => {
    for (let nth = 0; nth < 50; nth++) {
      await writer.begin(async (transaction) => {
        await transaction`
          insert into switchyard.conversation_events
            (conversation_id, tenant_id, direction, type, content, at)
          values (${conversation!.id}, ${tenancy.tenantId}, 'inbound', 'text',
            ${sql.json({ text: { body: `${lane}/${nth}` } })}, now())`;
        // Commits in another order than it began.
        await transaction`select pg_sleep(${lane * 0.003})`;
      });
    }
  }));

  const heard: string[] = [];
  while (heard.length < 200) {
    for (const { data } of await events.take(Math.min(7, 200 - heard.length))) {
      heard.push(wordsOf(data)!);
    }
    const lastId = events.lastId();
    await events.leave();
    events = await stage.open(tenancy, lastId);
    assert.equal(events.resumed, true);
  }
  await writing;
  await events.leave();
  const written = [0, 1, 2, 3].flatMap((lane) =>
    Array.from({ length: 50 }, (_, nth) => `${lane}/${nth}`)
  );
  assert.deepEqual(heard.toSorted(), written.toSorted());
  for (const lane of [0, 1, 2, 3]) {
    const own = heard.filter((words) => words.startsWith(`${lane}/`));
    assert.deepEqual(own, Array.from({ length: 50 }, (_, nth) => `${lane}/${nth}`));
  }
});

async function changesAfter(sql: Sql, tenancy: Tenancy, stream: string, cursor: string | null) {
  const [row] = await sql`
    select switchyard_api.read_changes(${tenancy.tenantId}, ${stream}, ${cursor}, 100) as page`;
  return row!.page;
}

async function openStream(
  sql: Sql,
  tenancy: Tenancy,
  cursor: string | null = null,
  at = new Date(),
) {
  const [row] = await sql`
    select switchyard_api.open_change_stream(${tenancy.tenantId}, ${cursor}, ${at}) as opened`;
  return row!.opened;
}

Deno.test("a stream is ready when who did not know of it has committed", async () => {
  await using stage = await setUp();
  const { sql } = stage;
  const tenancy = await createTenancy(sql);
  const early = stage.database.connect();
  await early`begin`;
  await early`select pg_current_xact_id()`;
  const opened = await openStream(sql, tenancy);
  const first = await changesAfter(sql, tenancy, opened.stream_id, null);
  assert.equal(first.is_ready, false);
  await early`commit`;
  // Transactions of other databases count too, and end by themselves.
  const second = await eventually(
    () => changesAfter(sql, tenancy, opened.stream_id, first.cursor),
    ({ is_ready }) => is_ready,
  );
  assert.deepEqual(second.changes, []);
});

Deno.test("nothing is logged of a tenant at whom nobody looks", async () => {
  await using stage = await setUp();
  const tenancy = await createTenancy(stage.sql);
  await stage.receiveMessage(tenancy);
  const [row] = await stage.sql`select count(*)::integer as logged from switchyard.changes`;
  assert.equal(row!.logged, 0);
});

Deno.test("a place is resumed while the log has all after it, and not beyond", async () => {
  await using stage = await setUp();
  const { sql } = stage;
  const tenancy = await createTenancy(sql);
  const at = (minutes: number) => new Date(Date.now() + minutes * 60_000);
  const first = await openStream(sql, tenancy);
  const { cursor } = await changesAfter(sql, tenancy, first.stream_id, null);
  await stage.receiveMessage(tenancy);
  assert.equal((await openStream(sql, tenancy, cursor, at(14))).resumes, true);
  assert.equal((await openStream(sql, tenancy, cursor, at(28))).resumes, true);
  await sql`select switchyard.prune_changes(${at(30)}, 100)`;
  assert.equal((await openStream(sql, tenancy, cursor, at(30))).resumes, true);
  await sql`update switchyard.changes set at = at - interval '61 minutes'`;
  await sql`select switchyard.prune_changes(now(), 100)`;
  assert.equal((await openStream(sql, tenancy, cursor, at(31))).resumes, false);
  const { cursor: later } = await changesAfter(
    sql,
    tenancy,
    (await openStream(sql, tenancy, null, at(31))).stream_id,
    null,
  );
  // Whatever this was, nobody listened then.
  await sql`select pg_current_xact_id()`;
  assert.equal((await openStream(sql, tenancy, later, at(90))).resumes, false);
});

Deno.test("a tenant has 20 streams at most, and one that ends makes room", async () => {
  await using stage = await setUp();
  const [ours, theirs] = [await createTenancy(stage.sql), await createTenancy(stage.sql)];
  const opened = await Promise.all(
    Array.from({ length: 20 }, () => openStream(stage.sql, ours)),
  );
  assert.ok(opened.every(({ outcome }) => outcome === "opened"));
  const refused = await stage.ask(ours);
  assert.deepEqual([refused.status, (await refused.json()).code], [429, "too_many_requests"]);
  assert.equal((await openStream(stage.sql, theirs)).outcome, "opened");
  await stage.project.call("close_change_stream", {
    tenant_id: ours.tenantId,
    stream_id: opened[0].stream_id,
  });
  assert.equal((await openStream(stage.sql, ours)).outcome, "opened");
  assert.equal((await openStream(stage.sql, ours)).outcome, "too_many");
  const inAMinute = new Date(Date.now() + 60_000);
  assert.equal((await openStream(stage.sql, ours, null, inAMinute)).outcome, "opened");
});

Deno.test("a stream ends when its time is over, and leaves nothing open", async () => {
  await using stage = await setUp();
  const tenancy = await createTenancy(stage.sql);
  const events = await stage.open(tenancy);
  stage.letPass(120_000);
  assert.equal(await events.next(), null);
  const [row] = await stage.sql`select count(*)::integer as open from switchyard.change_streams`;
  assert.equal(row!.open, 0);
});

Deno.test("a stream ends when the isolate is about to", async () => {
  await using stage = await setUp();
  const tenancy = await createTenancy(stage.sql);
  const events = await stage.open(tenancy);
  stage.stop.abort();
  assert.equal(await events.next(), null);
});

Deno.test("members hear their tenant's private channel where there is Realtime", async (t) => {
  await using stage = await setUp();
  const { sql } = stage;
  const [ours, theirs] = [await createTenancy(sql), await createTenancy(sql)];
  // What Supabase brings, as far as it matters here.
  await sql.unsafe(`
    create schema realtime;
    create table realtime.messages (topic text, extension text, payload jsonb, event text,
      private boolean);
    alter table realtime.messages enable row level security;
    grant usage on schema realtime to authenticated;
    grant select, insert on realtime.messages to authenticated;
    create function realtime.topic() returns text language sql stable
      as $$ select current_setting('realtime.topic', true) $$;
    create function realtime.send(payload jsonb, event text, topic text, private boolean)
      returns void language sql as $$
        insert into realtime.messages values (topic, 'broadcast', payload, event, private) $$;
    grant execute on function realtime.topic() to authenticated;`);
  const path = "../../supabase/migrations/20261122000091_realtime.sql";
  const migration = await Deno.readTextFile(new URL(path, import.meta.url));
  for (const _ of [1, 2]) await sql.begin((transaction) => transaction.unsafe(migration));
  const { userId } = await stage.api.signUp("ann@example.com");
  await sql`
    insert into switchyard.tenant_members (tenant_id, user_id, role)
    values (${ours.tenantId}, ${userId}, 'viewer')`;
  const heardBy = (topic: string) =>
    sql.begin(async (transaction) => {
      const claims = JSON.stringify({ sub: userId, role: "authenticated" });
      await transaction`select set_config('request.jwt.claims', ${claims}, true),
        set_config('request.jwt.claim.sub', ${userId}, true),
        set_config('realtime.topic', ${topic}, true)`;
      await transaction`set local role authenticated`;
      return (await transaction`select * from realtime.messages where topic = ${topic}`).length;
    });

  await t.step("nothing is broadcast before it is switched on", async () => {
    await stage.receiveMessage(ours);
    assert.equal((await sql`select from realtime.messages`).length, 0);
  });

  await t.step("then each tenant's changes go to its own channel", async () => {
    for (const { tenantId } of [ours, theirs]) {
      await stage.project.call("set_realtime", {
        tenant_id: tenantId,
        enabled: true,
        actor: { kind: "secret" },
      });
    }
    await stage.receiveMessage(ours);
    await stage.receiveMessage(theirs);
    const topics = await sql`
      select topic, event, private from realtime.messages where event = 'message' order by topic`;
    assert.deepEqual(
      topics.map((row) => ({ ...row })),
      [ours, theirs].map(({ tenantId }) => `tenant:${tenantId}`).sort()
        .map((topic) => ({ topic, event: "message", private: true })),
    );
  });

  await t.step("and only members may listen", async () => {
    assert.ok(await heardBy(`tenant:${ours.tenantId}`) > 0);
    assert.equal(await heardBy(`tenant:${theirs.tenantId}`), 0);
    assert.equal(await heardBy("anything"), 0);
    await sql`update switchyard.tenants set status = 'suspended' where id = ${ours.tenantId}`;
    assert.equal(await heardBy(`tenant:${ours.tenantId}`), 0);
  });
});
