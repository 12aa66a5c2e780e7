import { strict as assert } from "node:assert";

import { effectOf } from "../../supabase/functions/wa-inbound/effect.ts";
import { splitWebhook } from "../../supabase/functions/_shared/whatsapp/webhook_events.ts";
import type { WebhookEvent } from "../../supabase/functions/_shared/whatsapp/webhook_events.ts";
import { createDatabase, type Sql } from "../support/database.ts";
import { anItem, claim, enqueue, settle } from "../support/outbound.ts";
import { createTenancy, type Tenancy } from "../support/tenancy.ts";

/** A longer run: SWITCHYARD_STORM_EVENTS=100000 SWITCHYARD_STORM_SEED=7 deno test -A <this file> */
const EVENTS = Number(Deno.env.get("SWITCHYARD_STORM_EVENTS") ?? 5_000);
const SEED = Number(Deno.env.get("SWITCHYARD_STORM_SEED") ?? 20261122);
const MESSAGES_SENT = Math.floor(0.16 * EVENTS);
const MESSAGES_RECEIVED = EVENTS - 3 * MESSAGES_SENT;
const CUSTOMERS = Math.ceil(EVENTS / 125);
const ENQUEUED_TOGETHER = 500;
const WORKERS = 4;
const START = Date.parse("2026-11-22T12:00:00Z");

type Random = () => number;

// Mulberry32: small, and the same on every machine.
function seeded(seed: number): Random {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function shuffle<T>(items: T[], random: Random): T[] {
  for (let last = items.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [items[last], items[other]] = [items[other]!, items[last]!];
  }
  return items;
}

/** What Meta reports, in its own order: each item in the list that it comes in. */
interface Item {
  list: "messages" | "statuses";
  item: Record<string, unknown>;
}

/** Three statuses of each message that was sent. */
function statusItems(): Item[] {
  return Array.from(
    { length: MESSAGES_SENT },
    (_, nth) =>
      ["sent", "delivered", "read"].map((status, step): Item => ({
        list: "statuses",
        item: { id: `wamid.out.${nth}`, status, timestamp: secondsAt(nth + step * 10) },
      })),
  ).flat();
}

function messageItems(): Item[] {
  return Array.from({ length: MESSAGES_RECEIVED }, (_, nth): Item => ({
    list: "messages",
    item: {
      id: `wamid.in.${nth}`,
      from: `1555020${String(nth % CUSTOMERS).padStart(4, "0")}`,
      timestamp: secondsAt(nth),
      type: "text",
      text: { body: `the ${nth}th` },
    },
  }));
}

function secondsAt(offset: number): string {
  return String(START / 1_000 + offset);
}

function splitItems(tenancy: Tenancy, items: Item[]): WebhookEvent[] {
  const metadata = { phone_number_id: tenancy.phoneNumberId };
  const listed = (list: Item["list"]) =>
    items.filter((one) => one.list === list).map(({ item }) => item);
  const value = { metadata, messages: listed("messages"), statuses: listed("statuses") };
  const body = {
    object: "whatsapp_business_account",
    entry: [{ id: tenancy.businessAccountId, changes: [{ field: "messages", value }] }],
  };
  return splitWebhook(new TextEncoder().encode(JSON.stringify(body)));
}

/** Each item one to three times, shuffled, in bodies of 1 to 1,000. */
function* deliver(items: Item[], random: Random): Generator<Item[]> {
  const deliveries = shuffle(
    items.flatMap((item) => Array.from({ length: 1 + Math.floor(random() * 3) }, () => item)),
    random,
  );
  for (let taken = 0; taken < deliveries.length;) {
    const size = random() < 0.5 ? 1 + Math.floor(random() * 5) : 1 + Math.floor(random() * 1_000);
    yield deliveries.slice(taken, taken + size);
    taken += size;
  }
}

async function storeAll(sql: Sql, events: WebhookEvent[]): Promise<void> {
  await sql`select switchyard_api.store_events(${sql.json(events as never)})`;
}

interface Claimed {
  id: number;
  attempt: number;
  queue_entry_id: number;
  kind: string;
  field: string;
  payload: never;
  event_at: string | null;
}

/** Claims and applies until nothing is pending; dies now and then, which its next life finds out. */
async function work(sql: Sql, random: Random, isDone: () => Promise<boolean>): Promise<number> {
  let applied = 0;
  while (!await isDone()) {
    const claimed = await sql<Claimed[]>`
      select * from switchyard_api.claim_events(${1 + Math.floor(random() * 200)}, 1)`;
    if (random() < 0.15) continue;
    const items = claimed.map((event) => ({
      id: event.id,
      attempt: event.attempt,
      queue_entry_id: event.queue_entry_id,
      ...effectOf({ ...event, queueEntryId: event.queue_entry_id, eventAt: event.event_at }),
    }));
    const rows = await sql`
      select * from switchyard_api.apply_events(${sql.json(items as never)})`;
    applied += rows.filter((row) => row.applied).length;
  }
  return applied;
}

async function isEmpty(sql: Sql): Promise<boolean> {
  const rows = await sql`select from switchyard.inbound_events where state = 'pending' limit 1`;
  return rows.length === 0;
}

async function sendMessages(sql: Sql, tenancy: Tenancy): Promise<void> {
  const items = Array.from(
    { length: MESSAGES_SENT },
    (_, nth) => anItem(tenancy, { to: `+1555${String(nth).padStart(7, "0")}` }),
  );
  const at = new Date(START);
  for (let taken = 0; taken < items.length; taken += ENQUEUED_TOGETHER) {
    await enqueue(sql, tenancy, items.slice(taken, taken + ENQUEUED_TOGETHER), at);
  }
  const due = new Date(START + 600_000);
  for (let nth = 0; nth < MESSAGES_SENT;) {
    const claims = await claim(sql, 100, due);
    await settle(sql, claims, () => ({ outcome: "accepted", wamid: `wamid.out.${nth++}` }), due);
  }
}

/** The end of a world: conversations as they read, and what became of each message. */
async function describe(sql: Sql): Promise<unknown> {
  const conversations = await sql`
    select c.customer_phone, c.last_inbound_at::text, (
      select jsonb_agg(jsonb_build_array(e.wamid, e.content, e.at) order by e.at, e.wamid)
      from switchyard.conversation_events e where e.conversation_id = c.id) as events
    from switchyard.conversations c order by c.customer_phone`;
  const messages = await sql`
    select m.wamid, m.status, (
      select jsonb_agg(s.status order by s.at) from switchyard.message_statuses s
      where s.message_id = m.id) as statuses
    from switchyard.messages m order by m.wamid`;
  return [conversations.map((row) => ({ ...row })), messages.map((row) => ({ ...row }))];
}

/** Every change of a message's status that would be a step back is refused, and fails the test. */
async function forbidStepsBack(sql: Sql): Promise<void> {
  await sql.unsafe(`
    create function public.refuse_step_back() returns trigger language plpgsql as $$
    begin
      if switchyard.status_rank(new.status) < switchyard.status_rank(old.status) then
        raise exception 'status went from % to %', old.status, new.status;
      end if;
      return new;
    end $$;
    create trigger refuse_step_back before update on switchyard.messages
      for each row execute function public.refuse_step_back();`);
}

Deno.test(`${EVENTS} events, repeated, shuffled and with dying workers, end as in order (seed ${SEED})`, async () => {
  await using stormy = await createDatabase();
  await using calm = await createDatabase();
  const items = [...statusItems(), ...messageItems()];
  assert.equal(items.length, EVENTS);
  const random = seeded(SEED);

  const tenancy = await createTenancy(stormy.sql, { throughputPerSecond: 1_000 });
  await sendMessages(stormy.sql, tenancy);
  await forbidStepsBack(stormy.sql);
  let isDelivered = false;
  const workers = Array.from({ length: WORKERS }, (_, nth) => {
    const sql = stormy.connect();
    return work(sql, seeded(SEED + nth), async () => isDelivered && await isEmpty(sql));
  });
  for (const body of deliver(items, random)) {
    await storeAll(stormy.sql, splitItems(tenancy, body));
  }
  isDelivered = true;
  const applied = await Promise.all(workers);
  assert.equal(applied.reduce((sum, count) => sum + count, 0), items.length);

  const quiet = await createTenancy(calm.sql, { throughputPerSecond: 1_000 });
  await sendMessages(calm.sql, quiet);
  const own = calm.connect();
  for (let taken = 0; taken < items.length; taken += 500) {
    await storeAll(own, splitItems(quiet, items.slice(taken, taken + 500)));
  }
  await work(own, () => 1, () => isEmpty(own));
  assert.deepEqual(await describe(stormy.sql), await describe(calm.sql));

  const [counts] = await stormy.sql`
    select (select count(*)::integer from switchyard.inbound_events where state = 'applied') as applied,
      (select count(*)::integer from switchyard.message_statuses) as statuses,
      (select count(*)::integer from switchyard.conversation_events) as written,
      (select count(*)::integer from switchyard.dead_letters) as dead,
      (select count(*)::integer from pgmq.q_wa_inbound) as queued`;
  assert.deepEqual({ ...counts }, {
    applied: EVENTS,
    statuses: 3 * MESSAGES_SENT,
    written: MESSAGES_RECEIVED,
    dead: 0,
    queued: 0,
  });
});
