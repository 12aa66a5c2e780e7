import { type EventsWorld, openEventsWorld } from "./events_world.ts";
import { type Bench, type Figure, type Note, percentile } from "./figures.ts";
import { type Sql, startGround } from "./ground/ground.ts";
import { APP_SECRET } from "./webhook_contenders.ts";
import { buildWebhooks, sendAll } from "./webhook_load.ts";

/** Of ten million rows a run of this size and the plans tell: every path goes through an index. */
const STORED = Number(Deno.env.get("SWITCHYARD_BENCH_EVENTS") ?? 1_000_000);
const STORED_TOGETHER = 100_000;
const ROUNDS = 5;
const WEBHOOKS = 4_000;
const EVENTS = 2_000;
const CONNECTIONS = 128;
const PRUNED = 20_000;

/** The same webhooks and drains on a new database and on one with a month of events, in turns. */
export const bench: Bench = {
  claim: "a million events stored before slow neither webhooks nor what applies them",

  async run(note) {
    note("configuration", { STORED, ROUNDS, WEBHOOKS, EVENTS, CONNECTIONS });
    await using ground = await startGround();
    await using shallow = await openEventsWorld(ground);
    await using deep = await openEventsWorld(ground);
    await fillEvents(deep.sql);
    await Promise.all([shallow, deep].map((world) => round(world)));

    const scansBefore = await countScans(deep.sql);
    const rounds: { shallow: Round; deep: Round }[] = [];
    for (let nth = 0; nth < ROUNDS; nth++) {
      const first = nth % 2 === 0;
      const one = await round(first ? shallow : deep);
      const other = await round(first ? deep : shallow);
      rounds.push(first ? { shallow: one, deep: other } : { shallow: other, deep: one });
    }
    note("rounds", rounds);
    const scans = await countScans(deep.sql) - scansBefore;
    const pruning = await prune(deep.sql, note);

    const ratio = (of: keyof Round) =>
      percentile(rounds.map(({ shallow, deep }) => deep[of] / shallow[of]), 0.5);
    return [
      { name: "webhooks_of_shallow", value: ratio("webhooks"), unit: "ratio", atLeast: 0.9 },
      { name: "events_of_shallow", value: ratio("events"), unit: "ratio", atLeast: 0.9 },
      {
        name: "blocks_of_a_webhook_to_shallow",
        value: ratio("webhook_blocks"),
        unit: "ratio",
        atMost: 1.25,
      },
      {
        name: "blocks_of_an_event_to_shallow",
        value: ratio("event_blocks"),
        unit: "ratio",
        atMost: 1.25,
      },
      { name: "scans_of_the_whole_table", value: scans, unit: "count", atMost: 0 },
      { name: "pruning_20000", value: pruning, unit: "ms" },
    ] satisfies Figure[];
  },
};

/** What one round came to: how many a second, and how many blocks Postgres looked at for each. */
interface Round {
  webhooks: number;
  webhook_blocks: number;
  events: number;
  event_blocks: number;
}

async function round(world: EventsWorld): Promise<Round> {
  const requests = buildWebhooks({
    count: WEBHOOKS,
    secret: APP_SECRET,
    phoneNumberIds: world.phoneNumberIds,
    path: "/wa-webhook",
  });
  let webhooks = 0;
  const webhookBlocks = await countBlocks(world.sql, async () => {
    webhooks = (await sendAll(world.webhook.url, requests, CONNECTIONS)).perSecond;
  });
  await world.applyAll();
  await world.store(await world.makeEvents(EVENTS));
  let seconds = 0;
  const eventBlocks = await countBlocks(world.sql, async () => {
    const startedAt = performance.now();
    await world.applyAll();
    seconds = (performance.now() - startedAt) / 1_000;
  });
  return {
    webhooks,
    webhook_blocks: webhookBlocks / WEBHOOKS,
    events: EVENTS / seconds,
    event_blocks: eventBlocks / EVENTS,
  };
}

// Applied ones of 40 days, as large as Meta's are; a quarter of them is old enough to go.
async function fillEvents(sql: Sql): Promise<void> {
  for (let from = 0; from < STORED; from += STORED_TOGETHER) {
    await sql`
      insert into switchyard.inbound_events (
        event_key, kind, state, tenant_id, sender_id, business_account_id, phone_number_id, field,
        payload, event_at, received_at, processed_at, attempt_count)
      select sha256(('stored/' || n)::bytea), 'status', 'applied', s.tenant_id, s.id,
        s.business_account_id, s.phone_number_id, 'messages',
        jsonb_build_object('status', jsonb_build_object('id', 'wamid.stored.' || n,
          'status', 'delivered', 'timestamp', '1763812800', 'recipient_id', '1555000' || n,
          'pricing', jsonb_build_object('category', 'utility', 'pricing_model', 'PMP')),
          'metadata', jsonb_build_object('phone_number_id', s.phone_number_id)),
        came.at, came.at, came.at, 1
      from generate_series(${from}::integer, ${from + STORED_TOGETHER - 1}::integer) n
      join (
        select *, row_number() over () - 1 as place, count(*) over () as count
        from switchyard.senders
      ) s on s.place = n % s.count
      cross join lateral (
        select now() - interval '40 days' + n * interval '40 days' / ${STORED} as at) came`;
  }
  await sql`vacuum analyze switchyard.inbound_events`;
}

// Postgres publishes what a connection did within a second of its next transaction.
async function untilPublished(sql: Sql): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 1_200));
  await sql`select pg_stat_force_next_flush()`;
}

/** How many blocks of the database were looked at meanwhile, in memory or not. */
async function countBlocks(sql: Sql, work: () => Promise<void>): Promise<number> {
  const read = async () => {
    const [row] = await sql`
      select blks_hit + blks_read as blocks from pg_stat_database
      where datname = current_database()`;
    return row!.blocks;
  };
  await untilPublished(sql);
  const before = await read();
  await work();
  await untilPublished(sql);
  return await read() - before;
}

/** How often the whole table was read. */
async function countScans(sql: Sql): Promise<number> {
  await untilPublished(sql);
  const [row] = await sql`
    select seq_scan as scans from pg_stat_user_tables
    where schemaname = 'switchyard' and relname = 'inbound_events'`;
  return row!.scans;
}

async function prune(sql: Sql, note: Note): Promise<number> {
  const plan = await sql`
    explain (costs off) select e.id from switchyard.inbound_events e
    where e.state in ('applied', 'replayed') and e.processed_at <= now() - interval '30 days'
    order by e.processed_at limit ${PRUNED}`;
  note("plan_of_pruning", plan.map((row) => row["QUERY PLAN"]));
  const times: number[] = [];
  for (let nth = 0; nth < 2; nth++) {
    const startedAt = performance.now();
    const [row] = await sql`
      select switchyard.prune_inbound_events(now(), ${PRUNED}) as pruned`;
    times.push(performance.now() - startedAt);
    if (row!.pruned !== PRUNED) throw new Error(`${row!.pruned} events were pruned of ${PRUNED}`);
  }
  return percentile(times, 0.5);
}
