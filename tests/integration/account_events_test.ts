import { strict as assert } from "node:assert";

import { createPayer, readPrice } from "../support/charging.ts";
import { startTestDataApi } from "../support/data_api.ts";
import { createDatabase } from "../support/database.ts";
import { anItem, claim, enqueue, readMessages } from "../support/outbound.ts";
import { startReceiving } from "../support/receiving.ts";
import { createTenancy, type Tenancy } from "../support/tenancy.ts";

const START = Date.now() - 6 * 3_600_000;
const HOUR = 3_600_000;

const at = (ms: number) => new Date(START + ms);
const unix = (ms: number) => Math.floor((START + ms) / 1_000);

function aTemplate(name: string, overrides: Record<string, unknown> = {}) {
  return { type: "template", content: { name, language: { code: "en_US" } }, ...overrides };
}

async function setUp() {
  const database = await createDatabase();
  const api = await startTestDataApi(database);
  const { sql } = database;
  const receiving = startReceiving(api);
  const tenancy = await createTenancy(sql);
  let recipients = 0;

  /** What must be applied, whatever it says. */
  async function receiveField(of: Tenancy, field: string, value: unknown, time: number) {
    const report = await receiving.receiveField(of, field, value, time);
    assert.deepEqual([report.applied, report.dead], [1, 0], field);
  }

  /** Accepts one message for a customer of its own, and says its id. */
  async function send(item: Record<string, unknown>, ms: number, of = tenancy): Promise<string> {
    recipients += 1;
    const to = `+1555020${String(recipients).padStart(4, "0")}`;
    const [answer] = await enqueue(sql, of, [anItem(of, { to, ...item })], at(ms));
    return answer!.id!;
  }
  const claimed = async (ms: number) => (await claim(sql, 100, at(ms))).map(({ id }) => id);
  const stateOf = async (id: string) => {
    const [row] = await sql`
      select status, waiting_for, due_at from switchyard.messages where id = ${id}`;
    return row!;
  };
  const templateEvent = (
    name: string,
    event: string,
    ms: number,
    { title, of = tenancy }: { title?: string; of?: Tenancy } = {},
  ) =>
    receiveField(of, "message_template_status_update", {
      event,
      message_template_id: 1,
      message_template_name: name,
      message_template_language: "en-US",
      reason: null,
      ...(title === undefined ? {} : { other_info: { title } }),
    }, unix(ms));
  const attention = async (of = tenancy) => {
    const rows = await sql`
      select cause, stops from switchyard.sender_attention
      where sender_id = ${of.senderId} and cleared_at is null order by id`;
    return rows.map(({ cause, stops }) => [cause, stops]);
  };
  const senderOf = async (of = tenancy) => {
    const [row] = await sql`select * from switchyard.senders where id = ${of.senderId}`;
    return row!;
  };
  return {
    ...{ database, api, sql, tenancy, send, claimed, stateOf, templateEvent, attention, senderOf },
    ...receiving,
    receiveField,
    async [Symbol.asyncDispose]() {
      await api[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
    },
  };
}

Deno.test("a paused template's messages wait, and all others go", async () => {
  await using stage = await setUp();
  const { send, claimed, stateOf, templateEvent } = stage;
  const offer = await send(aTemplate("offer"), 0);
  const code = await send(aTemplate("code"), 0);
  const text = await send({}, 0);
  await templateEvent("offer", "PAUSED", 0, { title: "FIRST_PAUSE" });
  assert.deepEqual((await claimed(1_000)).sort(), [code, text].sort());
  const { status, waiting_for } = await stateOf(offer);
  assert.deepEqual([status, waiting_for], ["queued", "template:offer/en_US"]);
  assert.deepEqual(await stage.attention(), [["template_waits:offer/en_US", "nothing"]]);
  assert.equal((await stage.senderOf()).status, "active");
  const later = await send(aTemplate("offer"), 2_000);
  assert.deepEqual(await claimed(HOUR * 2), []);
  assert.equal((await stateOf(later)).waiting_for, "template:offer/en_US");
});

Deno.test("an unpaused template's messages go at once, and nobody is asked for any more", async () => {
  await using stage = await setUp();
  const { send, claimed, templateEvent } = stage;
  const offer = await send(aTemplate("offer"), 0);
  await templateEvent("offer", "PAUSED", 0, { title: "FIRST_PAUSE" });
  assert.deepEqual(await claimed(1_000), []);
  await templateEvent("offer", "APPROVED", HOUR, { title: "UNPAUSE" });
  const [row] = await stage.sql`select now() as now`;
  const [ready] = await claim(stage.sql, 100, row!.now);
  assert.equal(ready!.id, offer);
  assert.deepEqual(await stage.attention(), []);
});

Deno.test("a pause whose end was never told is over by itself after its hours", async () => {
  await using stage = await setUp();
  const { send, claimed, templateEvent } = stage;
  const offer = await send(aTemplate("offer"), 0);
  await templateEvent("offer", "PAUSED", 0, { title: "FIRST_PAUSE" });
  assert.deepEqual(await claimed(1_000), []);
  assert.deepEqual(await claimed(HOUR * 2), []);
  assert.deepEqual(await claimed(HOUR * 3 + 1_000), [offer]);
});

Deno.test("a message that waits for a paused template still expires", async () => {
  await using stage = await setUp();
  const { send, claimed, templateEvent, stateOf } = stage;
  const offer = await send(aTemplate("offer", { expires_at: at(600_000).toISOString() }), 0);
  await templateEvent("offer", "PAUSED", 0);
  assert.deepEqual(await claimed(1_000), []);
  assert.deepEqual(await claimed(601_000), []);
  assert.equal((await stateOf(offer)).status, "expired");
});

Deno.test("a disabled template's messages end as dead letters that say why", async () => {
  await using stage = await setUp();
  const { send, claimed, templateEvent, stateOf } = stage;
  const offer = await send(aTemplate("offer"), 0);
  await templateEvent("offer", "PAUSED", 0);
  assert.deepEqual(await claimed(1_000), []);
  await templateEvent("offer", "DISABLED", 2_000);
  const [row] = await stage.sql`select now() as now`;
  assert.deepEqual(await claim(stage.sql, 100, row!.now), []);
  assert.equal((await stateOf(offer)).status, "dead");
  const [letter] = await stage.sql`select cause from switchyard.dead_letters`;
  assert.equal(letter!.cause, "template_stopped");
  assert.deepEqual(await stage.attention(), [["template_ends:offer/en_US", "nothing"]]);
});

Deno.test("a message that ends with its template costs nothing", async () => {
  await using stage = await setUp();
  const payer = await createPayer(stage.database, 1_000_000);
  const offer = await stage.send(aTemplate("offer", { to: "+4915112345678" }), 0, payer);
  assert.equal((await readPrice(stage.sql, payer, offer)).held_micros, "120000");
  await stage.templateEvent("offer", "DISABLED", 0, { of: payer });
  assert.deepEqual(await stage.claimed(1_000), []);
  const { held_micros, released_micros } = await readPrice(stage.sql, payer, offer);
  assert.deepEqual([held_micros, released_micros], ["0", "120000"]);
});

Deno.test("a notice that comes after a later one changes nothing", async () => {
  await using stage = await setUp();
  const { send, claimed, templateEvent } = stage;
  await templateEvent("offer", "APPROVED", 5_000);
  await templateEvent("offer", "PAUSED", 4_000);
  const offer = await send(aTemplate("offer"), 6_000);
  assert.deepEqual(await claimed(7_000), [offer]);
  const field = "phone_number_quality_update";
  const number = { display_phone_number: "15550100001" };
  await stage.receiveField(stage.tenancy, field, { ...number, event: "UNFLAGGED" }, unix(9_000));
  await stage.receiveField(stage.tenancy, field, { ...number, event: "FLAGGED" }, unix(8_000));
  assert.deepEqual(await stage.attention(), []);
});

Deno.test("another account's template of the same name goes on", async () => {
  await using stage = await setUp();
  const theirs = await createTenancy(stage.sql);
  await stage.templateEvent("offer", "PAUSED", 0);
  const offer = await stage.send(aTemplate("offer"), 0, theirs);
  assert.deepEqual(await stage.claimed(1_000), [offer]);
  assert.deepEqual(await stage.attention(theirs), []);
});

Deno.test("a flagged number's bulk messages wait until it is flagged no longer", async () => {
  await using stage = await setUp();
  const { send, claimed, stateOf } = stage;
  const bulk = await send({ lane: "bulk" }, 0);
  const normal = await send({}, 0);
  const tell = (event: string, ms: number, display_phone_number = "15550100001") =>
    stage.receiveField(stage.tenancy, "phone_number_quality_update", {
      display_phone_number,
      event,
      current_limit: "TIER_1K",
    }, unix(ms));
  await tell("FLAGGED", 0, "15550100009");
  assert.deepEqual(await stage.attention(), []);
  await tell("FLAGGED", 0);
  assert.deepEqual(await claimed(1_000), [normal]);
  assert.equal((await stateOf(bulk)).waiting_for, "attention:number_flagged");
  assert.deepEqual(await stage.attention(), [["number_flagged", "bulk"]]);
  const { status, messaging_limit } = await stage.senderOf();
  assert.deepEqual([status, messaging_limit], ["active", "TIER_1K"]);
  await tell("UNFLAGGED", 2_000);
  assert.deepEqual(await stage.attention(), []);
  const [row] = await stage.sql`select now() as now`;
  assert.equal((await claim(stage.sql, 100, row!.now))[0]!.id, bulk);
});

Deno.test("a restricted account's templates wait until the restriction is over", async () => {
  await using stage = await setUp();
  const { send, claimed, sql } = stage;
  const offer = await send(aTemplate("offer"), 0);
  const text = await send({}, 0);
  const until = Math.floor(Date.now() / 1_000) + 7_200;
  await stage.receiveField(stage.tenancy, "account_update", {
    event: "ACCOUNT_RESTRICTION",
    restriction_info: [{
      restriction_type: "RESTRICTED_BIZ_INITIATED_MESSAGING",
      expiration: until,
    }],
  }, unix(0));
  assert.deepEqual(await claimed(1_000), [text]);
  assert.deepEqual(await stage.attention(), [["account_restricted", "templates"]]);
  await sql`select switchyard.account_tick(${new Date(until * 1_000 - 1_000)})`;
  assert.deepEqual(await stage.attention(), [["account_restricted", "templates"]]);
  await sql`select switchyard.account_tick(${new Date(until * 1_000)})`;
  assert.deepEqual(await stage.attention(), []);
  assert.equal((await claim(sql, 100, new Date(until * 1_000 + 1_000)))[0]!.id, offer);
});

Deno.test("a disabled account's senders are paused, and go on once it is reinstated", async () => {
  await using stage = await setUp();
  const text = await stage.send({}, 0);
  const tell = (waba_ban_state: string, ms: number) =>
    stage.receiveField(stage.tenancy, "account_update", {
      event: "DISABLED_UPDATE",
      ban_info: { waba_ban_state },
    }, unix(ms));
  await tell("DISABLE", 0);
  assert.equal((await stage.senderOf()).status, "paused");
  assert.deepEqual(await stage.claimed(1_000), []);
  await tell("DISABLE", 1_000);
  assert.deepEqual(await stage.attention(), [["account_disabled", "all"]]);
  await tell("REINSTATE", 2_000);
  assert.equal((await stage.senderOf()).status, "active");
  assert.deepEqual(await stage.claimed(3_000), [text]);
});

Deno.test("a sender that two causes pause goes on when both are over", async () => {
  await using stage = await setUp();
  const { sql, tenancy } = stage;
  for (const cause of ["token_expired", "account_disabled"]) {
    await sql`select switchyard.raise_attention(${[tenancy.senderId]}, ${cause}, '{}', now())`;
  }
  const end = (cause: string) =>
    sql`select switchyard.end_attention(${[tenancy.senderId]}, ${[cause]}, now())`;
  await end("token_expired");
  assert.equal((await stage.senderOf()).status, "paused");
  await end("account_disabled");
  assert.equal((await stage.senderOf()).status, "active");
});

Deno.test("an upgraded number gets Meta's rate, unless somebody chose another", async () => {
  await using stage = await setUp();
  const chosen = await createTenancy(stage.sql, { throughputPerSecond: 20 });
  for (const tenancy of [stage.tenancy, chosen]) {
    await stage.receiveField(tenancy, "phone_number_quality_update", {
      display_phone_number: "15550100001",
      event: "THROUGHPUT_UPGRADE",
      max_daily_conversations_per_business: "TIER_UNLIMITED",
    }, unix(0));
  }
  assert.equal((await stage.senderOf()).throughput_per_second, 1_000);
  assert.equal((await stage.senderOf(chosen)).throughput_per_second, 20);
});

Deno.test("marketing to who asked for none ends, and other messages go", async () => {
  await using stage = await setUp();
  const { send, claimed, stateOf, tenancy } = stage;
  await stage.receiveField(tenancy, "template_category_update", {
    message_template_id: 1,
    message_template_name: "offer",
    message_template_language: "en_US",
    previous_category: "UTILITY",
    new_category: "MARKETING",
  }, unix(0));
  const tell = (value: string, ms: number) =>
    stage.receiveField(tenancy, "user_preferences", {
      messaging_product: "whatsapp",
      metadata: { phone_number_id: tenancy.phoneNumberId },
      user_preferences: [{ wa_id: "16505551234", category: "marketing_messages", value }],
    }, unix(ms));
  await tell("stop", 0);
  const to = "+16505551234";
  const offer = await send(aTemplate("offer", { to }), 0);
  const other = await send(aTemplate("offer"), 0);
  assert.deepEqual(await claimed(1_000), [other]);
  assert.equal((await stateOf(offer)).status, "dead");
  const text = await send({ to }, 2_000);
  assert.deepEqual(await claimed(3_000), [text]);
  await stage.sql`update switchyard.messages set status = 'sent', holds_pair = false`;
  await tell("resume", 4_000);
  await tell("stop", 3_500);
  const again = await send(aTemplate("offer", { to }), 10_000);
  assert.deepEqual(await claimed(12_000), []);
  assert.equal((await stateOf(again)).status, "dead");
});

Deno.test("an operator ends what a sender waits for, and the audit log says which", async () => {
  await using stage = await setUp();
  const { tenancy, sql } = stage;
  await stage.receiveField(tenancy, "account_update", { event: "ACCOUNT_DELETED" }, unix(0));
  assert.equal((await stage.senderOf()).status, "paused");
  const resumed = await stage.project.call("resume_sender", {
    tenant_id: tenancy.tenantId,
    phone_number_id: tenancy.phoneNumberId,
    actor: { kind: "secret" },
  });
  assert.deepEqual(resumed, { outcome: "resumed", causes: ["account_lost"] });
  assert.equal((await stage.senderOf()).status, "active");
  const [entry] = await sql`
    select detail from switchyard.audit_log where action = 'sender.resumed'`;
  assert.deepEqual(entry!.detail, { causes: ["account_lost"] });
});

Deno.test("a thousand messages of a paused template leave the queue to the others", async () => {
  await using stage = await setUp();
  const { sql, tenancy } = stage;
  await stage.templateEvent("offer", "PAUSED", 0);
  const items = Array.from(
    { length: 1_000 },
    (_, nth) =>
      anItem(tenancy, { to: `+1555030${String(nth).padStart(4, "0")}`, ...aTemplate("offer") }),
  );
  await enqueue(sql, tenancy, items, at(0));
  const text = await stage.send({}, 20_000);
  const seen: string[] = [];
  for (let round = 0; round < 12 && seen.length === 0; round++) {
    seen.push(...await stage.claimed(30_000));
  }
  assert.deepEqual(seen, [text]);
  const waiting = (await readMessages(sql, tenancy)).filter(({ status }) => status === "queued");
  assert.equal(waiting.length, 1_000);
});
