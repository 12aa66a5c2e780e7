import { strict as assert } from "node:assert";

import { createHandler } from "../../supabase/functions/wa-conversations/conversations.ts";
import { sha256Hex } from "../../supabase/functions/_shared/bytes.ts";
import { serve } from "../../supabase/functions/_shared/http/serve.ts";
import { createLog } from "../../supabase/functions/_shared/telemetry/log.ts";
import {
  INBOUND_EXAMPLES,
  SYSTEM_EXAMPLE,
} from "../../supabase/functions/_shared/whatsapp/inbound_examples.ts";
import { startTestDataApi } from "../support/data_api.ts";
import { createDatabase } from "../support/database.ts";
import { NO_MEDIA } from "../support/media.ts";
import { anItem, enqueue } from "../support/outbound.ts";
import { seconds, startReceiving } from "../support/receiving.ts";
import { createTenancy, type Tenancy } from "../support/tenancy.ts";

const CUSTOMER = "16505551234";
const NOON = "2026-11-22T12:00:00Z";

interface Message {
  id: string;
  direction: string;
  type: string;
  at: string;
  [member: string]: unknown;
}
interface MessagesPage {
  messages: Message[];
  next_cursor: string | null;
}
interface Conversation {
  id: string;
  sender: string;
  customer: { phone: string | null; user_id: string | null; name: string | null };
  window: { state: string; open_until: string | null; free_entry_until: string | null };
}

async function setUp() {
  const database = await createDatabase();
  const api = await startTestDataApi(database);
  const receiving = startReceiving(api);
  const log = createLog({ write: () => {}, now: Date.now, fields: {} });
  const { signal: stopping } = new AbortController();
  const deps = {
    ...receiving.project,
    now: Date.now,
    sleep: () => Promise.resolve(),
    stopping,
    ...NO_MEDIA,
  };
  const handler = serve("wa-conversations", createHandler(deps), { log, now: Date.now });
  const ask = async (path: string, headers: Record<string, string>) => {
    const response = await handler(
      new Request(`http://localhost/wa-conversations${path}`, { headers }),
    );
    return { status: response.status, body: await response.json() };
  };
  const of = ({ tenantId }: Tenancy) => ({ apikey: api.secretKey, "x-tenant-id": tenantId });
  /** What the tenant is answered, which must be 200. */
  const read = async <T>(tenancy: Tenancy, path: string): Promise<T> => {
    const { status, body } = await ask(path, of(tenancy));
    assert.equal(status, 200, JSON.stringify(body));
    return body as T;
  };
  const conversationsOf = async (tenancy: Tenancy, query = "") =>
    (await read<{ conversations: Conversation[] }>(tenancy, query)).conversations;
  return {
    ...{ api, sql: database.sql, ask, of, read, conversationsOf, ...receiving },
    async [Symbol.asyncDispose]() {
      await api[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
    },
  };
}

Deno.test("every type of message is told from Meta's payload to the answer", async (t) => {
  await using stage = await setUp();
  const tenancy = await createTenancy(stage.sql);
  for (const [title, example] of Object.entries({ ...INBOUND_EXAMPLES, system: SYSTEM_EXAMPLE })) {
    await t.step(title, async () => {
      const { type, sent, told, toldType = type } = example;
      const id = `wamid.${title}`;
      const report = await stage.receiveMessage(tenancy, { text: undefined, ...sent, id, type });
      assert.deepEqual([report.applied, report.dead], [1, 0]);
      const [conversation] = await stage.conversationsOf(tenancy);
      const { messages } = await stage.read<MessagesPage>(
        tenancy,
        `/${conversation!.id}/messages?limit=200`,
      );
      const found = messages.find(({ wamid }) => wamid === id);
      const { id: own, at, ...rest } = found!;
      assert.match(own, /^\d+$/);
      assert.equal(at, "2025-06-08T20:59:43+00:00");
      assert.deepEqual(rest, { direction: "inbound", type: toldType, wamid: id, ...told });
    });
  }
});

Deno.test("what both sides wrote is told in one order, page by page", async () => {
  await using stage = await setUp();
  const tenancy = await createTenancy(stage.sql);
  const write = (id: string, at: string) =>
    stage.receiveMessage(tenancy, { id, timestamp: seconds(at), text: { body: id } });
  const answer = (client_ref: string, at: string, overrides = {}) =>
    enqueue(stage.sql, tenancy, [
      anItem(tenancy, {
        to: `+${CUSTOMER}`,
        client_ref,
        content: { body: client_ref },
        ...overrides,
      }),
    ], new Date(at));

  await answer("an offer", "2026-11-21T12:00:00Z", {
    type: "template",
    content: { name: "offer", language: { code: "en" } },
  });
  await write("one", "2026-11-22T12:00:00Z");
  await write("three", "2026-11-22T12:00:20Z");
  await answer("two", "2026-11-22T12:00:10Z");
  await answer("four", "2026-11-22T12:00:30Z");
  await answer("a receipt", "2026-11-22T12:00:40Z", {
    type: "read",
    content: { message_id: "three" },
  });
  await answer("to somebody else", "2026-11-22T12:00:50Z", { to: "+15550200002" });

  const [conversation] = await stage.conversationsOf(tenancy);
  const path = `/${conversation!.id}/messages`;
  const all = await stage.read<MessagesPage>(tenancy, path);
  const nameOf = (message: Message) => message.client_ref ?? message.wamid;
  const order = ["four", "three", "two", "one", "an offer"];
  assert.deepEqual(all.messages.map(nameOf), order);
  assert.equal(all.next_cursor, null);
  assert.deepEqual(all.messages[0], {
    id: all.messages[0]!.id,
    direction: "outbound",
    type: "text",
    at: "2026-11-22T12:00:30+00:00",
    status: "queued",
    client_ref: "four",
    text: { body: "four" },
  });

  const paged: unknown[] = [];
  let cursor: string | null = "";
  while (cursor !== null) {
    const page: MessagesPage = await stage.read(tenancy, `${path}?limit=1${cursor}`);
    paged.push(...page.messages.map(nameOf));
    cursor = page.next_cursor === null ? null : `&cursor=${page.next_cursor}`;
  }
  assert.deepEqual(paged, order);
});

Deno.test("messages of one second are told once each, whatever the page", async () => {
  await using stage = await setUp();
  const tenancy = await createTenancy(stage.sql);
  const messages = Array.from({ length: 7 }, (_, nth) => ({
    from: CUSTOMER,
    id: `wamid.${nth}`,
    timestamp: seconds(NOON),
    type: "text",
    text: { body: String(nth) },
  }));
  await stage.receive(tenancy, { messages });
  const [conversation] = await stage.conversationsOf(tenancy);
  const seen: string[] = [];
  let query = "?limit=2";
  for (;;) {
    const page: MessagesPage = await stage.read(tenancy, `/${conversation!.id}/messages${query}`);
    seen.push(...page.messages.map(({ id }) => id));
    if (page.next_cursor === null) break;
    query = `?limit=2&cursor=${page.next_cursor}`;
  }
  assert.equal(new Set(seen).size, 7);
  assert.deepEqual(seen, [...seen].sort((a, b) => Number(b) - Number(a)));
});

Deno.test("conversations are listed by activity, by sender and by customer", async () => {
  await using stage = await setUp();
  const [ours, theirs] = [await createTenancy(stage.sql), await createTenancy(stage.sql)];
  const people = ["4915112345601", "4915112345602", "4915112345603"];
  for (const [nth, from] of people.entries()) {
    const timestamp = seconds(`2026-11-22T1${nth}:00:00Z`);
    await stage.receiveMessage(ours, { from, timestamp });
  }
  await stage.receiveMessage(ours, {
    from: people[0],
    timestamp: seconds("2026-11-22T15:00:00Z"),
  });
  await stage.receiveMessage(theirs, { from: people[0] });
  const phones = (found: Conversation[]) => found.map(({ customer }) => customer.phone?.slice(1));

  assert.deepEqual(phones(await stage.conversationsOf(ours)), [people[0], people[2], people[1]]);
  const { phoneNumberId } = ours;
  const bySender = await stage.conversationsOf(ours, `?sender=${phoneNumberId}`);
  assert.deepEqual(phones(bySender), [people[0], people[2], people[1]]);
  assert.deepEqual(await stage.conversationsOf(theirs, `?sender=${phoneNumberId}`), []);
  const byCustomer = await stage.conversationsOf(ours, `?customer=%2B${people[1]}`);
  assert.deepEqual(phones(byCustomer), [people[1]]);
  assert.deepEqual(await stage.conversationsOf(ours, "?customer=US.13491208655302741918"), []);

  const first = await stage.read<{ next_cursor: string; conversations: Conversation[] }>(
    ours,
    "?limit=2",
  );
  const second = await stage.read<{ next_cursor: null; conversations: Conversation[] }>(
    ours,
    `?limit=2&cursor=${first.next_cursor}`,
  );
  assert.deepEqual(phones([...first.conversations, ...second.conversations]), [
    people[0],
    people[2],
    people[1],
  ]);
  assert.equal(second.next_cursor, null);
});

Deno.test("another tenant's conversation is none", async () => {
  await using stage = await setUp();
  const [ours, theirs] = [await createTenancy(stage.sql), await createTenancy(stage.sql)];
  await stage.receiveMessage(ours);
  const [conversation] = await stage.conversationsOf(ours);
  for (
    const path of [`/${conversation!.id}`, `/${conversation!.id}/messages`, "/1", "/1/messages"]
  ) {
    const { status, body } = await stage.ask(path, stage.of(theirs));
    assert.deepEqual([status, body.code], [404, "not_found"], path);
  }
  assert.deepEqual(await stage.conversationsOf(theirs), []);
});

Deno.test("a file is its tenant's alone, and a text has none", async () => {
  await using stage = await setUp();
  const [ours, theirs] = [await createTenancy(stage.sql), await createTenancy(stage.sql)];
  const image = { id: "77", mime_type: "image/jpeg", sha256: "x" };
  await stage.receiveMessage(ours, { type: "image", text: undefined, image });
  await stage.receiveMessage(ours);
  const rows = await stage.sql`select id, type from switchyard.conversation_events order by id`;
  const find = (tenancy: Tenancy, id: number) =>
    stage.project.call("find_media", { tenant_id: tenancy.tenantId, event_id: id });
  assert.deepEqual(await find(ours, rows[0]!.id), {
    sender_id: ours.senderId,
    phone_number_id: ours.phoneNumberId,
    type: "image",
    ...image,
    filename: null,
    kept: null,
  });
  assert.equal(await find(theirs, rows[0]!.id), null);
  assert.equal(await find(ours, rows[1]!.id), null);
  assert.equal((await stage.ask(`/media/${rows[0]!.id}`, stage.of(theirs))).status, 404);
});

Deno.test("every role may read, and nobody else", async () => {
  await using stage = await setUp();
  const tenancy = await createTenancy(stage.sql);
  for (const role of ["owner", "admin", "finance", "operator", "viewer"]) {
    const key = `swy_test_${role}`;
    await stage.sql`
      select switchyard_api.create_api_key(${tenancy.tenantId}, ${role}, ${role},
        ${await sha256Hex(key)}, 'swy_test', '{}')`;
    assert.equal((await stage.ask("", { authorization: `Bearer ${key}` })).status, 200, role);
  }
  assert.equal((await stage.ask("", {})).status, 401);
  assert.equal((await stage.ask("", { apikey: stage.api.secretKey })).status, 400);
});

Deno.test("a query that is malformed is refused with the place of the fault", async () => {
  await using stage = await setUp();
  const tenancy = await createTenancy(stage.sql);
  await stage.receiveMessage(tenancy);
  const [conversation] = await stage.conversationsOf(tenancy);
  const paths = [
    "?limit=0",
    "?limit=201",
    "?cursor=1",
    "?cursor=1.i0000000000000000001",
    "?sender=x",
    "?customer=nobody",
    `/${conversation!.id}/messages?cursor=1.${conversation!.id}`,
    `/${conversation!.id}/messages?limit=x`,
  ];
  for (const path of paths) {
    const { status, body } = await stage.ask(path, stage.of(tenancy));
    assert.deepEqual([status, body.code, body.errors.length], [400, "malformed_request", 1], path);
  }
});

Deno.test("a window is open for 24 hours after a message, and no notice opens it", async () => {
  await using stage = await setUp();
  const tenancy = await createTenancy(stage.sql);
  const windowAt = async (at: string) => {
    const [row] = await stage.sql`
      select switchyard.conversation_window(c, ${at}) as window from switchyard.conversations c`;
    return row!.window;
  };
  await stage.receiveMessage(tenancy, {
    type: "system",
    text: undefined,
    system: { type: "customer_identity_changed", body: "Ann has another device" },
    timestamp: seconds("2026-11-21T00:00:00Z"),
  });
  assert.equal((await windowAt(NOON)).state, "unknown");
  await stage.receiveMessage(tenancy, { timestamp: seconds(NOON) });
  await stage.receiveMessage(tenancy, { timestamp: seconds("2026-11-22T11:00:00Z") });
  assert.deepEqual(await windowAt("2026-11-23T11:59:59Z"), {
    state: "open",
    open_until: "2026-11-23T12:00:00+00:00",
    free_entry_until: null,
  });
  assert.equal((await windowAt("2026-11-23T12:00:00Z")).state, "closed");
  await stage.sql`update switchyard.inbound_events set field = 'calls', received_at = ${NOON}`;
  assert.equal((await windowAt("2026-11-23T11:59:59Z")).state, "open");
  assert.equal((await windowAt("2026-11-23T12:00:00Z")).state, "closed");
  await stage.sql`update switchyard.inbound_events set received_at = '2026-11-22T12:00:01Z'`;
  assert.equal((await windowAt("2026-11-23T12:00:00Z")).state, "unknown");
});

Deno.test("a free entry point lasts as long as the latest status says", async () => {
  await using stage = await setUp();
  const tenancy = await createTenancy(stage.sql);
  await stage.receiveMessage(tenancy);
  const report = (status: string, until: string | null, recipient_id = CUSTOMER) =>
    stage.receive(tenancy, {
      statuses: [{
        id: "wamid.out",
        status,
        timestamp: seconds(NOON),
        recipient_id,
        ...(until === null ? {} : {
          conversation: {
            id: "1",
            expiration_timestamp: seconds(until),
            origin: { type: "referral_conversion" },
          },
        }),
      }],
    });
  await report("sent", "2026-11-25T12:00:00Z");
  await report("delivered", "2026-11-25T11:00:00Z");
  await report("read", null);
  await report("sent", "2026-11-29T12:00:00Z", "15550200009");
  const [conversation] = await stage.conversationsOf(tenancy);
  assert.equal(conversation!.window.free_entry_until, "2026-11-25T12:00:00+00:00");
});

Deno.test("a free entry point is that of one sender and one customer, also of one without a number", async () => {
  await using stage = await setUp();
  const [tenancy, other] = [await createTenancy(stage.sql), await createTenancy(stage.sql)];
  const hidden = { from: undefined, from_user_id: "US.77" };
  for (const each of [tenancy, other]) {
    await stage.receiveMessage(each, hidden);
    await stage.receiveMessage(each);
  }
  await stage.receive(tenancy, {
    statuses: [{
      id: "wamid.out",
      status: "sent",
      timestamp: seconds(NOON),
      recipient_user_id: "US.77",
      conversation: {
        id: "1",
        expiration_timestamp: seconds("2026-11-25T12:00:00Z"),
        origin: { type: "referral_conversion" },
      },
      pricing: { pricing_model: "PMP", type: "free_entry_point", category: "referral_conversion" },
    }],
  });
  const told = async (of: Tenancy) =>
    (await stage.conversationsOf(of))
      .map(({ customer, window }) => [customer.phone, customer.user_id, window.free_entry_until])
      .toSorted();
  assert.deepEqual(await told(tenancy), [
    ["+" + CUSTOMER, null, null],
    [null, "US.77", "2026-11-25T12:00:00+00:00"],
  ]);
  assert.deepEqual((await told(other)).map(([, , until]) => until), [null, null]);
});

Deno.test("a page of a conversation is read by its indexes, however long both sides wrote", async () => {
  await using stage = await setUp();
  const tenancy = await createTenancy(stage.sql);
  await stage.receiveMessage(tenancy);
  const [conversation] = await stage.conversationsOf(tenancy);
  const { sql } = stage;
  await sql`
    insert into switchyard.conversation_events
      (conversation_id, tenant_id, direction, type, content, at)
    select ${conversation!.id}, ${tenancy.tenantId}, 'inbound', 'text', '{"text": {"body": "x"}}',
      ${NOON}::timestamptz - n * interval '2 seconds'
    from generate_series(1, 20000) n`;
  await sql`
    insert into switchyard.messages
      (tenant_id, sender_id, recipient, type, content, lane, planned_send_at, due_at, expires_at)
    select ${tenancy.tenantId}, ${tenancy.senderId}, ${"+" + CUSTOMER}, 'text', '{"body": "x"}',
      'normal', at, at, at + interval '1 day'
    from (select ${NOON}::timestamptz - n * interval '3 seconds' as at
      from generate_series(1, 20000) n) planned`;
  await sql`analyze switchyard.conversation_events, switchyard.messages`;
  await sql.begin(async (transaction) => {
    const read = async () => {
      const [row] = await transaction`
        select sum(pg_stat_get_xact_tuples_fetched(c)
          + pg_stat_get_xact_tuples_returned(c)) as rows
        from (values ('switchyard.messages'::regclass), ('switchyard.conversation_events'),
          ('switchyard.messages_of_conversation'), ('switchyard.conversation_events_in_order')) t (c)`;
      return Number(row!.rows);
    };
    const before = await read();
    const [row] = await transaction`
      select switchyard_api.list_conversation_messages(
        ${tenancy.tenantId}, ${conversation!.id}, '1795345200000000.i0000000000000000001', 50)
        as page`;
    assert.equal(row!.page.messages.length, 50);
    assert.ok(await read() - before < 1_000, `${await read() - before} rows`);
  });
});
