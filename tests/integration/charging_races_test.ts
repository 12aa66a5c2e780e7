import { strict as assert } from "node:assert";
import { createPayer, type Payer, pricing, setBilling } from "../support/charging.ts";
import { setBot, write } from "../support/conversations.ts";
import { createDatabase, type Sql, type TestDatabase } from "../support/database.ts";
import { eventually } from "../support/eventually.ts";
import { anEvent, apply, claimEvents, store } from "../support/inbound.ts";
import { anItem, enqueue } from "../support/outbound.ts";
import { assertBooksHold } from "../support/wallet_books.ts";

const CUSTOMER = "+4915112345678";
const HEARD = { at: Date.now(), phone: CUSTOMER };

/** A tenant that pays, whose bot has heard from a customer; and a message to another that was sent. */
async function setup(database: TestDatabase, given?: Payer) {
  const { sql } = database;
  const payer = given ?? await createPayer(database, 1_000_000);
  await setBot(sql, payer, { id: "talker", version: 1, fingerprint: "f".repeat(64) });
  await write(sql, payer, "hello", HEARD);
  const [sent] = await enqueue(sql, payer, [anItem(payer, { to: CUSTOMER })], new Date());
  const [conversation] = await sql<{ id: string; seq: number }[]>`
    select conversation_id as id, seq from switchyard.conversation_machines
    where tenant_id = ${payer.tenantId}`;
  return { payer, messageId: sent!.id!, conversation: conversation! };
}

type Scene = Awaited<ReturnType<typeof setup>>;

/** What a machine has computed: it answers its customer. */
function anAdvance({ payer, conversation }: Scene) {
  return {
    conversation_id: conversation.id,
    tenant_id: payer.tenantId,
    seq: conversation.seq,
    version: 1,
    snapshot: {},
    state: "talking",
    step_ids: [],
    last_step_id: null,
    transitions: [{
      event: {},
      version: 1,
      from: null,
      to: "talking",
      path: [],
      messages: [{ type: "text", content: { body: "Hello!" } }],
    }],
    timers: [],
    wait_until: null,
  };
}

async function advance(sql: Sql, scenes: Scene[]): Promise<string[]> {
  const rows = await sql<{ outcome: string; refused: number }[]>`
    select outcome, refused from switchyard_api.advance_conversations(
      ${sql.json(scenes.map(anAdvance) as never)})`;
  return rows.map(({ outcome, refused }) => `${outcome} ${refused}`);
}

function deliver(messageId: string) {
  return {
    action: "status",
    status: "delivered",
    message_id: messageId,
    wamid: `wamid.${messageId}`,
    recipient: null,
    participant: null,
    at: new Date().toISOString(),
    pricing: pricing("service"),
    errors: null,
  };
}

/** Claims deliveries of messages, to be applied together. */
async function deliverAll(sql: Sql, scenes: Scene[]) {
  await store(sql, scenes.map(({ payer }) => anEvent(payer)));
  const claimed = await claimEvents(sql, 10);
  return (sql: Sql) =>
    apply(
      sql,
      claimed,
      ({ tenant_id }) =>
        deliver(scenes.find(({ payer }) => payer.tenantId === tenant_id)!.messageId),
    );
}

/** Claims a delivery of a message and something that a customer writes, to be applied together. */
async function hear(sql: Sql, payer: Payer, messageId: string) {
  await store(sql, [anEvent(payer), anEvent(payer, { kind: "message" })]);
  const claimed = await claimEvents(sql, 10);
  const text = {
    action: "message",
    wamid: "wamid.more",
    type: "text",
    content: { text: { body: "are you there?" } },
    at: new Date().toISOString(),
    phone: CUSTOMER,
    user_id: null,
    name: null,
  };
  return (sql: Sql) =>
    apply(sql, claimed, ({ kind }) => kind === "status" ? deliver(messageId) : text);
}

async function untilWaiting(sql: Sql, count: number): Promise<void> {
  await eventually(
    () =>
      sql`select from pg_stat_activity
          where datname = current_database() and wait_event_type = 'Lock'`,
    (waiting) => waiting.count === count,
    { intervalMs: 5 },
  );
}

Deno.test("events that charge and are heard by a bot wait for its answer, not the answer for them", async () => {
  await using database = await createDatabase();
  const { sql } = database;
  const scene = await setup(database);
  const applyHeard = await hear(sql, scene.payer, scene.messageId);
  // Whoever is second in the queue for the conversation has locked the money already, if it comes first.
  const blocker = database.connect();
  await blocker`begin`;
  await blocker`select from switchyard.conversation_machines for update`;
  const applied = applyHeard(database.connect());
  await untilWaiting(sql, 1);
  const advanced = advance(database.connect(), [scene]);
  await untilWaiting(sql, 2);
  await blocker`commit`;
  assert.deepEqual(await applied, [true, true]);
  assert.deepEqual(await advanced, ["advanced 0"]);
  await assertBooksHold(sql);
});

Deno.test("answers of several tenants lock their money as charges do", async () => {
  await using database = await createDatabase();
  const { sql } = database;
  const first = await createPayer(database, 1_000_000);
  const second = await setup(database);
  // The tenant that came first pays from the account that was opened last.
  const account = await first.wallet.open(1_000_000);
  await setBilling(sql, first.tenantId, { billing: "prepaid", account_id: account });
  const scenes = [await setup(database, { ...first, account }), second];
  const applyDelivered = await deliverAll(sql, scenes);
  const blocker = database.connect();
  await blocker`begin`;
  await blocker`
    select from switchyard.wallet_accounts where id = ${second.payer.account} for update`;
  const applied = applyDelivered(database.connect());
  await untilWaiting(sql, 1);
  const advanced = advance(database.connect(), scenes);
  await untilWaiting(sql, 2);
  await blocker`commit`;
  assert.deepEqual(await applied, [true, true]);
  assert.deepEqual(await advanced, ["advanced 0", "advanced 0"]);
  await assertBooksHold(sql);
});
