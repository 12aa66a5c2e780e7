import { strict as assert } from "node:assert";

import { addEndpoint } from "../support/callbacks.ts";
import { createDatabase, type Sql, withDatabase } from "../support/database.ts";
import { anEvent, apply, claimEvents, store } from "../support/inbound.ts";
import { accepted, anItem, claim, enqueue, readMessages, settle } from "../support/outbound.ts";
import { createTenancy, type Tenancy } from "../support/tenancy.ts";

const NOW = new Date("2026-11-22T12:00:00Z");
const later = (ms: number) => new Date(NOW.getTime() + ms);
const OPERATOR = { kind: "secret" };

async function remove(sql: Sql, tenancy: Tenancy): Promise<string> {
  const [row] = await sql`
    select switchyard_api.remove_sender(
      ${tenancy.tenantId}, ${tenancy.phoneNumberId}, ${
    sql.json(OPERATOR)
  }) ->> 'outcome' as outcome`;
  return row!.outcome;
}

/** Registers the number of a tenancy for a tenant; null where it is taken. */
async function register(sql: Sql, of: Tenancy, tenantId: string): Promise<Tenancy | null> {
  const sender = {
    phone_number_id: of.phoneNumberId,
    business_account_id: of.businessAccountId,
    display_phone_number: "+1 555 010 0001",
    access_token: `second-token-of-${of.phoneNumberId}`,
  };
  const [row] = await sql`
    select switchyard_api.add_sender(
      ${tenantId}, ${sql.json(sender)}, ${sql.json(OPERATOR)}) ->> 'id' as id`;
  return row!.id && { ...of, tenantId, senderId: row!.id };
}

async function tokensOf(sql: Sql, { senderId }: Tenancy): Promise<string[]> {
  const rows = await sql`
    select access_token from switchyard_api.read_credentials(${sql.json([senderId])})`;
  return rows.map(({ access_token }) => access_token);
}

/** Sends one message of the sender to where it waits for Meta's status. */
async function sendOne(sql: Sql, tenancy: Tenancy): Promise<string> {
  await enqueue(sql, tenancy, [anItem(tenancy)], NOW);
  const [claimed] = await claim(sql, 1, later(1_000));
  await settle(sql, [claimed!], accepted, later(2_000));
  return claimed!.id;
}

/** What Meta reports of a message, as it is applied. */
function reportOf(messageId: string, overrides: Record<string, unknown> = {}) {
  return {
    action: "status",
    message_id: messageId,
    wamid: `wamid.${messageId}`,
    status: "delivered",
    recipient: null,
    pricing: null,
    errors: null,
    at: NOW.toISOString(),
    ...overrides,
  };
}

async function statusOf(sql: Sql, messageId: string): Promise<string> {
  const [row] = await sql`select status from switchyard.messages where id = ${messageId}`;
  return row!.status;
}

function aMessage(tenancy: Tenancy) {
  return anEvent(tenancy, { kind: "message", payload: { message: { from: "15550200001" } } });
}

Deno.test("a removed sender has no token left, needs nobody, and is removed once", () =>
  withDatabase(async ({ sql }) => {
    const [gone, other] = [await createTenancy(sql), await createTenancy(sql)];
    await sql`
      select switchyard.raise_attention(array[${gone.senderId}, ${other.senderId}]::uuid[],
        'number_flagged', '{}', ${NOW}, null, 'bulk')`;
    assert.equal(await remove(sql, { ...gone, tenantId: other.tenantId }), "sender_not_found");
    assert.equal(await remove(sql, gone), "removed");
    assert.equal(await remove(sql, gone), "sender_not_found");

    assert.deepEqual([await tokensOf(sql, gone), (await tokensOf(sql, other)).length], [[], 1]);
    const secrets = await sql`select name from vault.secrets where name like 'switchyard/sender/%'`;
    assert.deepEqual(secrets.map(({ name }) => name), [`switchyard/sender/${other.phoneNumberId}`]);
    const attention = await sql`select sender_id from switchyard_api.list_attention(null)`;
    assert.deepEqual(attention.map(({ sender_id }) => sender_id), [other.senderId]);
    const audited = await sql`
      select tenant_id, target from switchyard.audit_log where action = 'sender.removed'`;
    assert.deepEqual(audited.map((row) => ({ ...row })), [
      { tenant_id: gone.tenantId, target: gone.phoneNumberId },
    ]);
  }));

Deno.test("what is queued of a removed sender goes nowhere and becomes dead letters", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    const items = ["+15550200001", "+15550200001", "+15550200002"].map((to) =>
      anItem(tenancy, { to })
    );
    await enqueue(sql, tenancy, items, NOW);
    await remove(sql, tenancy);
    assert.deepEqual(await claim(sql, 10, later(60_000)), []);
    const [refused] = await enqueue(sql, tenancy, [anItem(tenancy)], later(1_000));
    assert.equal(refused!.outcome, "unknown_sender");
    for (let i = 1; i <= 3; i++) await sql`select switchyard.tick(${later(i * 5_000)})`;
    const messages = await readMessages(sql, tenancy);
    assert.deepEqual(messages.map(({ status }) => status), ["dead", "dead", "dead"]);
    const letters = await sql`select cause from switchyard.dead_letters`;
    assert.deepEqual(letters.map(({ cause }) => cause), Array(3).fill("sender_removed"));
  }));

Deno.test("a tenant is told of the messages that end with their sender, each once", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await addEndpoint(sql, tenancy, { events: ["message.status"] });
    const [first, second] = ["+15550200001", "+15550200002"].map((to) => anItem(tenancy, { to }));
    const accepted = await enqueue(sql, tenancy, [first!, second!], NOW);
    await remove(sql, tenancy);
    for (const ms of [5_000, 10_000]) await sql`select switchyard.tick(${later(ms)})`;
    const told = await sql`
      select payload ->> 'message_id' as id, payload ->> 'status' as status
      from switchyard.callback_events order by told_no`;
    assert.deepEqual(
      told.map((row) => ({ ...row })),
      accepted.map(({ id }) => ({ id, status: "dead" })),
    );
  }));

for (const who of ["another tenant", "the same tenant"]) {
  Deno.test(`the number of a removed sender may be registered again by ${who}`, () =>
    withDatabase(async ({ sql }) => {
      const [gone, other] = [await createTenancy(sql), await createTenancy(sql)];
      const { tenantId } = who === "another tenant" ? other : gone;
      assert.equal(await register(sql, gone, tenantId), null);
      const old = await sendOne(sql, gone);
      await remove(sql, gone);
      const again = (await register(sql, gone, tenantId))!;
      assert.notEqual(again.senderId, gone.senderId);
      assert.equal(await register(sql, gone, tenantId), null);

      assert.deepEqual(await tokensOf(sql, again), [`second-token-of-${gone.phoneNumberId}`]);
      assert.deepEqual(await tokensOf(sql, gone), []);
      const [sent] = await enqueue(sql, again, [anItem(again)], later(3_000));
      assert.equal((await claim(sql, 10, later(4_000)))[0]!.id, sent!.id);
      const [row] = await sql`
        select switchyard_api.get_message(${gone.tenantId}, ${old}) ->> 'from' as sender`;
      assert.equal(row!.sender, gone.phoneNumberId);
    }));
}

Deno.test("tenants who register a number at once after its removal get it once", async () => {
  await using database = await createDatabase();
  const { sql, connect } = database;
  const gone = await createTenancy(sql);
  const tenants = await Promise.all(Array.from({ length: 4 }, () => createTenancy(sql)));
  await remove(sql, gone);
  const registered = await Promise.all(
    tenants.map(({ tenantId }) => register(connect(), gone, tenantId)),
  );
  assert.equal(registered.filter((it) => it !== null).length, 1);
});

Deno.test("operators who remove a sender at once, while another rotates its token, remove it once", async () => {
  await using database = await createDatabase();
  const { sql, connect } = database;
  const tenancy = await createTenancy(sql);
  const rotate = () =>
    connect()`
      select switchyard_api.rotate_credential(
        ${tenancy.tenantId}, ${tenancy.phoneNumberId}, 'another token', ${sql.json(OPERATOR)})`;
  const removals = Array.from({ length: 5 }, () => remove(connect(), tenancy));
  const [outcomes] = await Promise.all([Promise.all(removals), rotate(), rotate()]);
  assert.equal(outcomes.filter((outcome) => outcome === "removed").length, 1);
  assert.deepEqual(await tokensOf(sql, tenancy), []);
  const secrets = await sql`select from vault.secrets where name like 'switchyard/sender/%'`;
  assert.equal(secrets.length, 0);
});

for (const [what, overrides] of [["our id", {}], ["its wamid", { message_id: null }]] as const) {
  Deno.test(`Meta's report on a message of a removed sender is applied by ${what}, whoever has the number now`, () =>
    withDatabase(async ({ sql }) => {
      const [gone, other] = [await createTenancy(sql), await createTenancy(sql)];
      const [first, second] = [await sendOne(sql, gone), await sendOne(sql, gone)];
      await remove(sql, gone);
      const tellOf = async (messageId: string) => {
        assert.deepEqual(await store(sql, [anEvent(gone)]), {
          stored: 1,
          duplicates: 0,
          quarantined: 0,
        });
        await apply(sql, await claimEvents(sql, 1), () => reportOf(messageId, overrides));
      };
      await tellOf(first);
      assert.equal(await statusOf(sql, first), "delivered");
      await register(sql, gone, other.tenantId);
      await tellOf(second);
      assert.equal(await statusOf(sql, second), "delivered");
    }));
}

Deno.test("a report on another number's message is kept from it", () =>
  withDatabase(async ({ sql }) => {
    const [ours, theirs] = [await createTenancy(sql), await createTenancy(sql)];
    const id = await sendOne(sql, ours);
    await store(sql, [anEvent(theirs)]);
    await apply(sql, await claimEvents(sql, 1), () => reportOf(id));
    assert.equal(await statusOf(sql, id), "sent");
  }));

Deno.test("what customers write to a removed sender is nobody's until an operator gives it to its next owner", () =>
  withDatabase(async ({ sql }) => {
    const [gone, other] = [await createTenancy(sql), await createTenancy(sql)];
    await remove(sql, gone);
    assert.equal((await store(sql, [aMessage(gone)])).quarantined, 1);
    const again = (await register(sql, gone, other.tenantId))!;
    await sql`select switchyard.inbound_tick()`;
    assert.deepEqual(await claimEvents(sql, 10), []);
    const [{ id, reason }] = await sql<[{ id: number; reason: string }]>`
      select id, reason from switchyard.inbound_events`;
    assert.equal(reason, "sender_removed");

    await store(sql, [aMessage(again)]);
    await sql`
      select switchyard_api.replay_quarantine(
        ${sql.json([id])}, '[]', false, '{}', ${sql.json(OPERATOR)})`;
    const claimed = await claimEvents(sql, 10);
    assert.deepEqual(claimed.map(({ tenant_id }) => tenant_id), Array(2).fill(other.tenantId));
  }));

Deno.test("notices about an account are its present tenant's, whoever had a sender there", () =>
  withDatabase(async ({ sql }) => {
    const [gone, other] = [await createTenancy(sql), await createTenancy(sql)];
    await remove(sql, gone);
    const aNotice = () => anEvent(gone, { phone_number_id: null, kind: "account" });
    assert.equal((await store(sql, [aNotice()])).quarantined, 1);
    await register(sql, gone, other.tenantId);
    assert.equal((await store(sql, [aNotice()])).quarantined, 0);
    const claimed = await claimEvents(sql, 10);
    assert.deepEqual(claimed.map(({ tenant_id }) => tenant_id), Array(2).fill(other.tenantId));
  }));
