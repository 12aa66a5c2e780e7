import { strict as assert } from "node:assert";

import { startTestDataApi } from "../support/data_api.ts";
import { createDatabase, type Sql } from "../support/database.ts";
import { anItem, enqueue } from "../support/outbound.ts";
import { seconds, startReceiving } from "../support/receiving.ts";
import { createTenancy } from "../support/tenancy.ts";

const ANN = "15550200001";
const ANN_ID = "US.13491208655302741918";
const BOB_ID = "US.27";

async function setUp() {
  const database = await createDatabase();
  const api = await startTestDataApi(database);
  const { sql } = database;
  const receiving = startReceiving(api);
  const tenancy = await createTenancy(sql);
  let second = 0;

  /** A text of who is known by these, a second after the one before. */
  async function write(from: string | null, from_user_id: string | null, words: string) {
    second += 1;
    const report = await receiving.receiveMessage(tenancy, {
      id: `wamid.${words}`,
      from: from ?? undefined,
      from_user_id: from_user_id ?? undefined,
      timestamp: seconds(`2026-11-22T12:00:${String(second).padStart(2, "0")}Z`),
      text: { body: words },
    });
    assert.equal(report.applied, 1);
  }
  const tell = async (system: Record<string, unknown>, overrides: Record<string, unknown>) => {
    second += 1;
    const report = await receiving.receiveMessage(tenancy, {
      type: "system",
      text: undefined,
      system,
      timestamp: seconds(`2026-11-22T12:00:${String(second).padStart(2, "0")}Z`),
      ...overrides,
    });
    assert.equal(report.applied, 1);
  };
  /** Each customer with what they wrote, in its order. */
  const customers = async () => {
    const rows = await sql`
      select c.customer_phone, c.customer_user_id, (
        select array_agg(e.content -> 'text' ->> 'body' order by e.at, e.id)
        from switchyard.conversation_events e
        where e.conversation_id = c.id and e.type = 'text') as words
      from switchyard.conversations c where c.merged_into is null order by c.id`;
    return rows.map((row) => [row.customer_phone, row.customer_user_id, row.words]);
  };
  const answered = async (id: string): Promise<string[]> => {
    const page = await receiving.project.call("list_conversation_messages", {
      tenant_id: tenancy.tenantId,
      conversation_id: id,
      cursor: null,
      page_limit: 200,
    }) as { messages: { text?: { body: string } }[] };
    return page.messages.map(({ text }) => text?.body ?? "(notice)").reverse();
  };
  const idOf = async (where: ReturnType<Sql>) => {
    const [row] = await sql`select id from switchyard.conversations where ${where}`;
    return String(row!.id);
  };
  const send = (to: string, words: string, at: string) =>
    enqueue(sql, tenancy, [anItem(tenancy, { to, content: { body: words } })], new Date(at));
  return {
    ...{ sql, tenancy, write, tell, customers, answered, idOf, send, ...receiving },
    async [Symbol.asyncDispose]() {
      await api[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
    },
  };
}

Deno.test("who writes by number and later by id is one customer once Meta gives both", async () => {
  await using stage = await setUp();
  await stage.write(ANN, null, "one");
  await stage.write(null, ANN_ID, "two");
  await stage.write(ANN, null, "three");
  assert.equal((await stage.customers()).length, 2);
  await stage.write(ANN, ANN_ID, "four");
  const merged = [[`+${ANN}`, ANN_ID, ["one", "two", "three", "four"]]];
  assert.deepEqual(await stage.customers(), merged);
  await stage.write(null, ANN_ID, "five");
  await stage.write(ANN, null, "six");
  assert.deepEqual((await stage.customers())[0]![2], [
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
  ]);
});

Deno.test("a merged conversation is found under both of its ids, with what was sent to either", async () => {
  await using stage = await setUp();
  await stage.write(ANN, null, "one");
  const byPhone = await stage.idOf(stage.sql`customer_phone is not null`);
  await stage.write(null, ANN_ID, "two");
  const byId = await stage.idOf(stage.sql`customer_user_id is not null`);
  await stage.send(`+${ANN}`, "to the number", "2026-11-22T12:00:01.5Z");
  await stage.send(ANN_ID, "to the id", "2026-11-22T12:00:02.5Z");
  await stage.write(ANN, ANN_ID, "three");
  const all = ["one", "to the number", "two", "to the id", "three"];
  assert.deepEqual(await stage.answered(byPhone), all);
  assert.deepEqual(await stage.answered(byId), all);
  const call = (conversation_id: string) =>
    stage.project.call("get_conversation", {
      tenant_id: stage.tenancy.tenantId,
      conversation_id,
    });
  assert.deepEqual(await call(byId), await call(byPhone));
});

Deno.test("the id is learned from a message that has both, and a number too", async () => {
  await using stage = await setUp();
  await stage.write(ANN, null, "one");
  await stage.write(ANN, ANN_ID, "two");
  await stage.write(null, ANN_ID, "three");
  assert.deepEqual(await stage.customers(), [[`+${ANN}`, ANN_ID, ["one", "two", "three"]]]);
});

Deno.test("a number that passes to another person takes no history along", async () => {
  await using stage = await setUp();
  await stage.write(ANN, ANN_ID, "Ann's");
  const anns = await stage.idOf(stage.sql`customer_user_id = ${ANN_ID}`);
  await stage.send(`+${ANN}`, "to Ann", "2026-11-22T12:00:01.5Z");
  await stage.write(ANN, BOB_ID, "Bob's");
  const bobs = await stage.idOf(stage.sql`customer_user_id = ${BOB_ID}`);
  assert.deepEqual(await stage.customers(), [
    [null, ANN_ID, ["Ann's"]],
    [`+${ANN}`, BOB_ID, ["Bob's"]],
  ]);
  await stage.send(`+${ANN}`, "to Bob", "2026-11-22T12:00:03Z");
  assert.deepEqual(await stage.answered(anns), ["Ann's", "to Ann"]);
  assert.deepEqual(await stage.answered(bobs), ["Bob's", "to Bob"]);
});

Deno.test("a customer who changed the number keeps the conversation", async () => {
  await using stage = await setUp();
  await stage.write(ANN, null, "before");
  const id = await stage.idOf(stage.sql`customer_phone = ${`+${ANN}`}`);
  await stage.send(`+${ANN}`, "to the old number", "2026-11-22T12:00:01.5Z");
  await stage.tell({ type: "user_changed_number", wa_id: "15550200009" }, { from: ANN });
  await stage.write("15550200009", null, "after");
  assert.deepEqual(await stage.customers(), [["+15550200009", null, ["before", "after"]]]);
  assert.deepEqual(await stage.answered(id), ["before", "to the old number", "(notice)", "after"]);
});

Deno.test("a change that is told after the customer wrote from the new number merges both", async () => {
  await using stage = await setUp();
  await stage.write(ANN, null, "before");
  await stage.write("15550200009", null, "after");
  await stage.send("+15550200009", "an answer", "2026-11-22T12:00:02.5Z");
  await stage.tell({ type: "user_changed_number", wa_id: "15550200009" }, { from: ANN });
  assert.deepEqual(await stage.customers(), [["+15550200009", null, ["before", "after"]]]);
  const id = await stage.idOf(stage.sql`merged_into is null`);
  assert.deepEqual(await stage.answered(id), ["before", "after", "an answer", "(notice)"]);
});

Deno.test("a customer whose id changed keeps the conversation", async () => {
  await using stage = await setUp();
  await stage.write(null, ANN_ID, "before");
  await stage.tell(
    { type: "user_changed_user_id", user_id: BOB_ID, previous_user_id: ANN_ID },
    { from: undefined, from_user_id: BOB_ID },
  );
  await stage.write(null, BOB_ID, "after");
  assert.deepEqual(await stage.customers(), [[null, BOB_ID, ["before", "after"]]]);
});

Deno.test("a merged conversation has the later window and the earlier beginning", async () => {
  await using stage = await setUp();
  await stage.write(ANN, null, "one");
  await stage.write(null, ANN_ID, "two");
  await stage.sql`
    update switchyard.conversations set free_entry_until = '2026-11-25T12:00:00Z'
    where customer_user_id is not null`;
  await stage.write(ANN, ANN_ID, "three");
  const [row] = await stage.sql`
    select last_inbound_at, free_entry_until from switchyard.conversations
    where merged_into is null`;
  assert.deepEqual(row!.last_inbound_at, new Date("2026-11-22T12:00:03Z"));
  assert.deepEqual(row!.free_entry_until, new Date("2026-11-25T12:00:00Z"));
});

Deno.test("a merged conversation keeps the machine that answered, with what waits for it", async () => {
  await using stage = await setUp();
  const { sql, tenancy } = stage;
  await sql`
    insert into switchyard.tenant_bots (tenant_id, machine) values (${tenancy.tenantId}, 'menu')`;
  await stage.write(null, ANN_ID, "one");
  await sql`update switchyard.conversation_machines set seq = 7`;
  await stage.write(ANN, null, "two");
  await sql`delete from switchyard.conversation_machines where seq = 0`;
  await stage.write(ANN, ANN_ID, "three");
  const machines = await sql`
    select m.seq, c.merged_into is null as is_living from switchyard.conversation_machines m
    join switchyard.conversations c on c.id = m.conversation_id`;
  assert.deepEqual(machines.map((row) => ({ ...row })), [{ seq: 7, is_living: true }]);

  await stage.write("15550200005", null, "a");
  await stage.write(null, "US.5", "b");
  await stage.write("15550200005", "US.5", "c");
  const [both] = await sql`
    select count(*) filter (
        where c.merged_into is not null and m.state is null and m.wake_at is null)::integer as resting,
      (select array_agg(s.content -> 'text' ->> 'body' order by s.at)
        from switchyard.conversation_steps s
        join switchyard.conversations c on c.id = s.conversation_id
        where c.customer_user_id = 'US.5') as waiting
    from switchyard.conversation_machines m
    join switchyard.conversations c on c.id = m.conversation_id`;
  assert.deepEqual({ ...both }, { resting: 1, waiting: ["a", "b", "c"] });
});

Deno.test("workers that learn at once that two customers are one merge them once", async () => {
  await using stage = await setUp();
  const { sql, tenancy } = stage;
  for (let round = 0; round < 10; round++) {
    const phone = `+1555030${String(round).padStart(4, "0")}`;
    const id = `US.${round}`;
    const find = (phone: string | null, id: string | null) =>
      sql`select switchyard.find_conversation(
        ${tenancy.tenantId}, ${tenancy.senderId}, ${phone}, ${id}, now()) as id`;
    await find(phone, null);
    await find(null, id);
    const outcomes = await Promise.allSettled([
      find(phone, id),
      find(phone, id),
      find(null, id),
      find(phone, null),
    ]);
    assert.ok(outcomes.some(({ status }) => status === "fulfilled"));
    const [both] = await find(phone, id);
    assert.equal((await find(phone, null))[0]!.id, both!.id);
    assert.equal((await find(null, id))[0]!.id, both!.id);
  }
  const [count] = await sql`
    select count(*)::integer as living from switchyard.conversations where merged_into is null`;
  assert.equal(count!.living, 10);
});

Deno.test("a customer without a phone number is written to by the id, within the window alone", async () => {
  await using stage = await setUp();
  await stage.write(null, ANN_ID, "one");
  const [sent] = await stage.send(ANN_ID, "an answer", "2026-11-22T13:00:00Z");
  assert.equal(sent!.outcome, "accepted");
  const [late] = await stage.send(ANN_ID, "too late", "2026-11-23T13:00:00Z");
  assert.equal(late!.outcome, "window_closed");
});
