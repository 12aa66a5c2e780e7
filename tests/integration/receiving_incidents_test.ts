/**
 * What went wrong in other systems that receive webhooks, each as a test of this one under the name of
 * the incident. All go through the real wa-webhook and wa-inbound over a real database.
 */
import { strict as assert } from "node:assert";

import { type CallRpc, DatabaseError } from "../../supabase/functions/_shared/database.ts";
import {
  exampleMessage,
  exampleStatus,
} from "../../supabase/functions/_shared/whatsapp/webhook_examples.ts";
import { startTestDataApi, type TestDataApi } from "../support/data_api.ts";
import { createDatabase, type Sql, type TestDatabase } from "../support/database.ts";
import { anItem, claim, enqueue, settle } from "../support/outbound.ts";
import { type Receiving, wireReceiving } from "../support/wired_receiving.ts";
import { createTenancy, type Tenancy } from "../support/tenancy.ts";

interface World extends Receiving {
  database: TestDatabase;
  api: TestDataApi;
  sql: Sql;
  tenancy: Tenancy;
}

/** One database and two tenants for each incident. */
function incident(title: string, use: (world: World) => Promise<void>): void {
  Deno.test(title, async () => {
    await using database = await createDatabase();
    await using api = await startTestDataApi(database);
    const { sql } = database;
    const tenancy = await createTenancy(sql);
    await use({ ...wireReceiving(api.callRpc), database, api, sql, tenancy });
  });
}

function aChange(
  { phoneNumberId }: Pick<Tenancy, "phoneNumberId">,
  lists: Record<string, unknown>,
) {
  const metadata = { display_phone_number: "15550783881", phone_number_id: phoneNumberId };
  return { field: "messages", value: { messaging_product: "whatsapp", metadata, ...lists } };
}

function aBody(tenancy: Tenancy, lists: Record<string, unknown>) {
  const changes = [aChange(tenancy, lists)];
  return {
    object: "whatsapp_business_account",
    entry: [{ id: tenancy.businessAccountId, changes }],
  };
}

/** Messages that went out, with the wamids that Meta gave them. */
async function sendMessages(sql: Sql, tenancy: Tenancy, wamids: string[]): Promise<void> {
  const at = new Date("2026-11-22T12:00:00Z");
  const items = wamids.map((_, nth) => anItem(tenancy, { to: `+1555030${1_000 + nth}` }));
  await enqueue(sql, tenancy, items, at);
  const due = new Date(at.getTime() + 60_000);
  const claims = await claim(sql, wamids.length, due);
  let nth = 0;
  await settle(sql, claims, () => ({ outcome: "accepted", wamid: wamids[nth++] }), due);
}

async function statusesOf(sql: Sql): Promise<Record<string, number>> {
  const rows = await sql<{ status: string; found: number }[]>`
    select status, count(*)::integer as found from switchyard.messages group by status`;
  return Object.fromEntries(rows.map(({ status, found }) => [status, found]));
}

async function count(sql: Sql, table: string): Promise<number> {
  const [row] = await sql`select count(*)::integer as found from ${sql(table)}`;
  return row!.found;
}

/** Makes the database refuse one status, as a bug in a trigger or a constraint would. */
async function refuseStatus(sql: Sql, wamid: string): Promise<void> {
  await sql.unsafe(`
    create function public.refuse_status() returns trigger language plpgsql as $$
    begin
      if new.wamid = '${wamid}' then
        raise exception 'refused' using errcode = 'check_violation';
      end if;
      return new;
    end $$;
    create trigger refuse_status before insert on switchyard.message_statuses
      for each row execute function public.refuse_status();`);
}

/** Calls that are carried out, and whose answer is lost for the first time of each name. */
function loseFirstAnswer(call: CallRpc, names: readonly string[]): CallRpc {
  const waiting = new Set(names);
  const losing = async (name: string, args: never) => {
    const answer = await call(name as never, args);
    if (waiting.delete(name)) {
      const options = { code: "", unavailable: true };
      throw new DatabaseError(`Cannot ${name}: the connection was closed`, options);
    }
    return answer;
  };
  return losing as unknown as CallRpc;
}

// https://github.com/chatwoot/chatwoot/pull/13523 https://github.com/ArnasDon/wacrm/issues/367
incident(
  "chatwoot 13523, wacrm 367: one message in many deliveries at once is one message",
  async ({ post, drain, api, sql, tenancy }) => {
    const body = aBody(tenancy, { messages: [exampleMessage()] });
    const isolates = Array.from({ length: 8 }, () => wireReceiving(api.callRpc));
    const answers = await Promise.all(
      [...isolates, { post }].flatMap((isolate) => [isolate.post(body), isolate.post(body)]),
    );
    assert.deepEqual([...new Set(answers)], [200]);
    await Promise.all([...isolates, { drain }].map((isolate) => isolate.drain()));
    assert.equal(await count(sql, "switchyard.inbound_events"), 1);
    assert.equal(await count(sql, "switchyard.conversation_events"), 1);
  },
);

// https://github.com/chatwoot/chatwoot/pull/14060
incident(
  "chatwoot 14060: an album of ten pictures from a new customer is one conversation, in order",
  async ({ post, api, sql, tenancy }) => {
    const pictures = Array.from({ length: 10 }, (_, nth) =>
      exampleMessage({
        id: `wamid.${nth}`,
        timestamp: String(1_749_416_383 + nth),
        type: "image",
        image: { id: String(nth) },
      }));
    const bodies = [7, 2, 9, 0, 5, 1, 8, 3, 6, 4].map((nth) =>
      aBody(tenancy, { messages: [pictures[nth]] })
    );
    assert.deepEqual([...new Set(await Promise.all(bodies.map((body) => post(body))))], [200]);
    const workers = Array.from({ length: 4 }, () => wireReceiving(api.callRpc));
    await Promise.all(workers.map(({ drain }) => drain(3)));
    // What one put back while another was at work shows itself two seconds later, to the next drain.
    while (await count(sql, "pgmq.q_wa_inbound") > 0) {
      await sql`update pgmq.q_wa_inbound set vt = clock_timestamp()`;
      await Promise.all(workers.map(({ drain }) => drain(3)));
    }
    assert.equal(await count(sql, "switchyard.conversations"), 1);
    const rows = await sql`select wamid from switchyard.conversation_events order by id`;
    assert.deepEqual(rows.map(({ wamid }) => wamid), pictures.map(({ id }) => id));
  },
);

// https://github.com/rmyndharis/OpenWA/pull/924
incident(
  "OpenWA 924: who dies between storing and answering is told again, and the event is still applied",
  async ({ api, sql, tenancy }) => {
    const dying = wireReceiving(loseFirstAnswer(api.callRpc, ["store_events"]));
    const body = aBody(tenancy, { messages: [exampleMessage()] });
    assert.equal(await dying.post(body), 503);
    // The doorbell died with it.
    await sql`delete from net.http_request_queue`;
    assert.equal(await dying.post(body), 200);
    assert.deepEqual(dying.counts, { stored: 0, duplicates: 1, quarantined: 0 });
    assert.equal((await dying.drain()).applied, 1);
    assert.equal(await count(sql, "switchyard.conversation_events"), 1);
  },
);

// https://github.com/glific/glific/issues/5733
incident(
  "glific 5733: what was recorded and never processed is found again",
  async ({ post, drain, sql, tenancy }) => {
    await post(aBody(tenancy, { messages: [exampleMessage()] }));
    await sql`select pgmq.purge_queue('wa_inbound')`;
    assert.equal((await drain()).claimed, 0);
    await sql`select switchyard.inbound_tick(clock_timestamp() + interval '6 minutes')`;
    assert.equal((await drain()).applied, 1);
  },
);

// https://github.com/botpress/botpress/issues/15083
incident(
  "botpress 15083: a status that cannot be applied harms neither the messages nor the statuses beside it",
  async ({ post, drain, sql, tenancy }) => {
    await refuseStatus(sql, "wamid.poison");
    const ids = ["wamid.a", "wamid.poison", "wamid.b"];
    const statuses = ids.map((id) => exampleStatus({ id, biz_opaque_callback_data: undefined }));
    const messages = [1, 2].map((nth) => exampleMessage({ id: `wamid.${nth}` }));
    assert.equal(await post(aBody(tenancy, { statuses, messages })), 200);
    for (let tries = 0; tries < 3; tries++) {
      await drain();
      await sql`update pgmq.q_wa_inbound set vt = clock_timestamp()`;
    }
    assert.equal(await count(sql, "switchyard.conversation_events"), 2);
    assert.equal(await count(sql, "switchyard.message_statuses"), 2);
    const letters = await sql`select cause from switchyard.dead_letters`;
    assert.deepEqual(letters.map(({ cause }) => cause), ["not_applicable:23514"]);
    assert.equal(await count(sql, "pgmq.q_wa_inbound"), 0);
  },
);

// https://github.com/shridarpatil/frappe_whatsapp/issues/252
// https://github.com/rafa77-tech/whats-agents/issues/204
incident(
  "frappe_whatsapp 252, whats-agents 204: of 50 statuses one has no message yet: 49 are applied, it waits",
  async ({ post, drain, sql, tenancy }) => {
    const wamids = Array.from({ length: 49 }, (_, nth) => `wamid.out.${nth}`);
    await sendMessages(sql, tenancy, wamids);
    const statuses = [...wamids.slice(0, 20), "wamid.later", ...wamids.slice(20)].map((id) =>
      exampleStatus({ id, biz_opaque_callback_data: undefined })
    );
    assert.equal(await post(aBody(tenancy, { statuses })), 200);
    assert.equal((await drain()).applied, 50);
    assert.deepEqual(await statusesOf(sql), { delivered: 49 });
    await sendMessages(sql, tenancy, ["wamid.later"]);
    assert.deepEqual(await statusesOf(sql), { delivered: 50 });
  },
);

// https://github.com/chatwoot/chatwoot/issues/14529
incident(
  "chatwoot 14529: read before delivered before sent stays read, and every time is kept",
  async ({ post, drain, sql, tenancy }) => {
    await sendMessages(sql, tenancy, ["wamid.out"]);
    for (const [status, timestamp] of [["read", 3], ["delivered", 2], ["sent", 1]]) {
      const item = exampleStatus({ id: "wamid.out", status, timestamp: String(timestamp) });
      await post(aBody(tenancy, { statuses: [{ ...item, biz_opaque_callback_data: "not ours" }] }));
      await drain();
      assert.deepEqual(await statusesOf(sql), { read: 1 });
    }
    const rows = await sql`
      select status, extract(epoch from at)::integer as at
      from switchyard.message_statuses order by at`;
    assert.deepEqual(rows.map(({ status, at }) => [status, at]), [
      ["sent", 1],
      ["delivered", 2],
      ["read", 3],
    ]);
  },
);

// https://github.com/automagik-dev/omni/issues/503
incident(
  "omni 503: a status that was renamed is quarantined, warned of and counted, and kept whole",
  async ({ post, api, sql, tenancy, lines }) => {
    const statuses = [exampleStatus({ status: "handed_over" }), exampleStatus()];
    assert.equal(await post(aBody(tenancy, { statuses })), 200);
    assert.deepEqual(
      lines.filter(({ level }) => level === "WARN").map(({ event, events }) => [event, events]),
      [["events.quarantined", 1]],
    );
    const snapshot = await api.callRpc("health_snapshot", {}) as Record<string, number>;
    assert.deepEqual([snapshot.quarantined, snapshot.quarantined_lately], [1, 1]);
    const [row] = await sql`
      select id, reason, payload from switchyard.inbound_events where state = 'quarantined'`;
    assert.equal(row!.reason, "unknown_status");
    assert.equal(row!.payload.status.status, "handed_over");
  },
);

// https://github.com/sarrazola/openlivery/issues/36
// https://github.com/nyaruka/courier: the channel is that of the first change
incident(
  "openlivery 36, courier: changes for two tenants and a stranger in one body go each to their own",
  async ({ post, drain, sql, tenancy }) => {
    const neighbour = await createTenancy(sql);
    const stranger = { phoneNumberId: "98989898", businessAccountId: "89898989" };
    const owners = [tenancy, neighbour, stranger];
    const changes = owners.map((owner, nth) =>
      aChange(owner, { messages: [exampleMessage({ id: `wamid.${nth}` })] })
    );
    const entry = [{ id: tenancy.businessAccountId, changes }];
    assert.equal(await post({ object: "whatsapp_business_account", entry }), 200);
    await drain();
    const rows = await sql`
      select wamid, tenant_id from switchyard.conversation_events order by wamid`;
    assert.deepEqual(rows.map((row) => ({ ...row })), [
      { wamid: "wamid.0", tenant_id: tenancy.tenantId },
      { wamid: "wamid.1", tenant_id: neighbour.tenantId },
    ]);
    const kept = await sql`
      select tenant_id, reason from switchyard.inbound_events where state = 'quarantined'`;
    assert.deepEqual(kept.map((row) => ({ ...row })), [{
      tenant_id: null,
      reason: "unknown_owner",
    }]);
  },
);

// https://github.com/rmyndharis/OpenWA/pull/591
incident(
  "OpenWA 591: the same message id at two numbers is two messages",
  async ({ post, drain, sql, tenancy }) => {
    const neighbour = await createTenancy(sql);
    for (const owner of [tenancy, neighbour]) {
      await post(aBody(owner, { messages: [exampleMessage()] }));
    }
    assert.equal((await drain()).applied, 2);
    const rows = await sql`select distinct tenant_id from switchyard.conversation_events`;
    assert.equal(rows.length, 2);
  },
);

// https://github.com/openclaw/openclaw/issues/116232
incident(
  "openclaw 116232: a message whose answer was lost is settled by its status and not sent again",
  async ({ post, drain, sql, tenancy }) => {
    const at = new Date();
    const [accepted] = await enqueue(sql, tenancy, [anItem(tenancy)], at);
    const claims = await claim(sql, 1, at);
    await settle(sql, claims, () => ({ outcome: "unknown" }), at);
    assert.deepEqual(await statusesOf(sql), { outcome_unknown: 1 });
    await post(
      aBody(tenancy, { statuses: [exampleStatus({ biz_opaque_callback_data: accepted!.id })] }),
    );
    await drain();
    assert.deepEqual(await statusesOf(sql), { delivered: 1 });
    await sql`select switchyard.tick(${new Date(at.getTime() + 3_600_000)})`;
    assert.deepEqual(await claim(sql, 1, new Date(at.getTime() + 3_600_000)), []);
  },
);

// https://github.com/pgflow-dev/pgflow/issues/586
incident(
  "pgflow 586: a worker that died after applying, or whose answer was lost, leaves nothing behind",
  async ({ post, api, sql, tenancy }) => {
    const messages = [1, 2, 3].map((nth) => exampleMessage({ id: `wamid.${nth}` }));
    await post(aBody(tenancy, { messages }));
    const dying = wireReceiving(loseFirstAnswer(api.callRpc, ["apply_events"]));
    const { claimed, applied, duplicates, dead } = await dying.drain();
    assert.deepEqual({ claimed, applied, duplicates, dead }, {
      claimed: 3,
      applied: 0,
      duplicates: 3,
      dead: 0,
    });
    assert.equal(await count(sql, "switchyard.conversation_events"), 3);
    assert.equal(await count(sql, "pgmq.q_wa_inbound"), 0);
    const states = await sql`select distinct state from switchyard.inbound_events`;
    assert.deepEqual(states.map(({ state }) => state), ["applied"]);
  },
);

// https://github.com/chatwoot/chatwoot/pull/14280
incident(
  "chatwoot 14280, whatomate: a webhook without a signature stores nothing",
  async ({ post, sql, tenancy }) => {
    const body = aBody(tenancy, { messages: [exampleMessage()] });
    for (const signature of [null, "", "sha256=", `sha256=${"0".repeat(64)}`]) {
      assert.equal(await post(body, signature), 401);
    }
    assert.equal(await count(sql, "switchyard.inbound_events"), 0);
  },
);

// Meta sends again for seven days what was not acknowledged:
// https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/overview (2026-09)
incident(
  "a retry storm at ten times the rate: every delivery is acknowledged, new ones are stored, old ones once",
  async ({ post, drain, counts, sql, tenancy }) => {
    const statusAt = (nth: number) => exampleStatus({ id: `wamid.${nth}` });
    const bodiesOf = (from: number, events: number) =>
      Array.from({ length: events / 10 }, (_, body) =>
        aBody(tenancy, {
          statuses: Array.from({ length: 10 }, (_, nth) => statusAt(from + body * 10 + nth)),
        }));
    const lastHour = bodiesOf(0, 1_000);
    await Promise.all(lastHour.map((body) => post(body)));
    const fresh = bodiesOf(1_000, 1_000);
    // Ten old ones to each new one, all at once.
    const storm = fresh.flatMap((body, nth) => [
      ...Array.from({ length: 10 }, (_, again) => lastHour[(nth * 10 + again) % lastHour.length]),
      body,
    ]);
    const answers = await Promise.all(storm.map((body) => post(body)));
    assert.deepEqual([...new Set(answers)], [200]);
    assert.deepEqual(counts, { stored: 2_000, duplicates: 10_000, quarantined: 0 });
    assert.equal((await drain(500)).applied, 2_000);
    assert.equal(await count(sql, "switchyard.message_statuses"), 2_000);
  },
);
