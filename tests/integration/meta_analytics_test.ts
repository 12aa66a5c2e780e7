import { strict as assert } from "node:assert";

import { createHandler } from "../../supabase/functions/admin/admin.ts";
import { serve } from "../../supabase/functions/_shared/http/serve.ts";
import { createLog } from "../../supabase/functions/_shared/telemetry/log.ts";
import {
  createPayer,
  type Payer,
  pricing,
  RATES,
  report,
  setBilling,
} from "../support/charging.ts";
import { startTestDataApi } from "../support/data_api.ts";
import { createDatabase, type Sql } from "../support/database.ts";
import { accepted, anItem, claim, enqueue, settle } from "../support/outbound.ts";

const NOON = new Date("2026-11-22T12:00:00Z");
const DAY = { starts_at: "2026-11-22T00:00:00Z", ends_at: "2026-11-23T00:00:00Z" };

interface Point {
  phone_number: string | null;
  category: string;
  type: string;
  volume: number;
  cost_micros: number | null;
}

interface Overrides {
  dryRun?: boolean;
  currency?: string;
  business_account_id?: string;
}

interface Told {
  outcome: string;
  compared: number;
  differences: Record<string, unknown>[];
  not_compared: Record<string, unknown>[];
}

/** A sender of which two service messages and a free one were delivered and charged. */
async function setup({ at = "2026-11-22T12:00:05Z" } = {}) {
  const database = await createDatabase();
  const { sql } = database;
  const payer = await createPayer(database, 1_000_000);
  const items = [1, 2, 3].map((nth) => anItem(payer, { to: `+49151123456${nth}0` }));
  const answers = await enqueue(sql, payer, items, NOON);
  await settle(sql, await claim(sql, 10, NOON), accepted, NOON);
  const types = ["regular", "regular", "free_customer_service"];
  await report(
    sql,
    payer,
    answers.map(({ id }, nth) => ({
      message_id: id!,
      status: "delivered",
      at,
      pricing: pricing("service", types[nth]),
    })),
  );
  const [sender] = await sql<{ account: string; digits: string }[]>`
    select business_account_id as account,
      regexp_replace(display_phone_number, '\\D', '', 'g') as digits
    from switchyard.senders where phone_number_id = ${payer.phoneNumberId}`;
  const { account, digits } = sender!;
  const points = (regular = 2, micros: number | null = regular * RATES.service): Point[] => [
    aPoint({ phone_number: digits, volume: regular, cost_micros: micros }),
    aPoint({ phone_number: digits, type: "free_customer_service", volume: 1, cost_micros: 0 }),
  ];
  const compare = async (
    told: Point[],
    { dryRun = false, ...overrides }: Overrides = {},
  ): Promise<Told> => {
    const answer = { business_account_id: account, currency: "USD", ...DAY, points: told };
    const [row] = await sql<{ told: Told }[]>`
      select switchyard_api.compare_meta_analytics(
        ${sql.json({ ...answer, ...overrides } as never)}, ${dryRun},
        ${sql.json({ kind: "secret" })}) as told`;
    return row!.told;
  };
  return { database, sql, payer, account, points, compare, firstId: answers[0]!.id! };
}

function aPoint(overrides: Partial<Point> = {}): Point {
  return {
    phone_number: null,
    category: "service",
    type: "regular",
    volume: 1,
    cost_micros: null,
    ...overrides,
  };
}

async function findings(sql: Sql): Promise<{ subject: string; detail: unknown }[]> {
  return await sql<{ subject: string; detail: unknown }[]>`
    select subject, detail from switchyard_api.list_wallet_findings(100)
    where rule = 'meta_counts_what_is_charged'`;
}

async function proveAll(sql: Sql) {
  await sql`select switchyard.check_wallet_invariants('-infinity', clock_timestamp())`;
}

/** Takes a charge away behind the back of everything, and gives back how to undo it. */
async function loseCharge(sql: Sql, id: string): Promise<() => Promise<void>> {
  await sql`create table public.lost as
    select * from switchyard.message_charges where message_id = ${id}`;
  await sql`delete from switchyard.message_charges where message_id = ${id}`;
  return async () => {
    await sql`insert into switchyard.message_charges select * from public.lost`;
  };
}

function differing(payer: Payer, overrides: Record<string, unknown>) {
  return { sender: payer.phoneNumberId, category: "service", type: "regular", ...overrides };
}

Deno.test("what Meta counted as it was charged is no finding", async () => {
  const { database, sql, points, compare } = await setup();
  await using _ = database;
  const told = await compare(points());
  assert.deepEqual(told, { outcome: "compared", compared: 2, differences: [], not_compared: [] });
  assert.deepEqual([...(await findings(sql))], []);
  const [audited] = await sql`
    select action, detail from switchyard.audit_log order by id desc limit 1`;
  assert.equal(audited!.action, "meta_analytics.compared");
  assert.equal(audited!.detail.compared, 2);
});

Deno.test("a charge that is missing is found, and gone by the proof that finds it charged", async () => {
  const { database, sql, payer, account, points, compare, firstId } = await setup();
  await using _ = database;
  const giveBack = await loseCharge(sql, firstId);
  const difference = differing(payer, {
    meta_volume: 2,
    our_volume: 1,
    meta_micros: "80000",
    our_micros: "40000",
  });
  assert.deepEqual((await compare(points())).differences, [difference]);
  const subject =
    `${account} 2026-11-22T00:00:00Z/2026-11-23T00:00:00Z ${payer.phoneNumberId} service regular`;
  assert.deepEqual([...(await findings(sql))], [{ subject, detail: difference }]);

  await proveAll(sql);
  assert.equal((await findings(sql)).length, 1);
  await giveBack();
  await proveAll(sql);
  assert.deepEqual([...(await findings(sql))], []);
});

Deno.test("a later answer takes the place of an earlier one and ends its finding", async () => {
  const { database, sql, points, compare } = await setup();
  await using _ = database;
  await compare(points(5));
  assert.equal((await findings(sql)).length, 1);
  assert.deepEqual((await compare(points())).differences, []);
  assert.deepEqual([...(await findings(sql))], []);
  const kept = await sql`select points from switchyard.wallet_meta_analytics`;
  assert.deepEqual(kept.map((row) => row.points), [points()]);
});

Deno.test("the same answer twice is kept once and is one finding", async () => {
  const { database, sql, points, compare } = await setup();
  await using _ = database;
  const first = await compare(points(3));
  assert.deepEqual(await compare(points(3)), first);
  const [counted] = await sql`
    select (select count(*)::integer from switchyard.wallet_meta_analytics) as answers,
      (select count(*)::integer from switchyard.wallet_findings) as findings`;
  assert.deepEqual({ ...counted }, { answers: 1, findings: 1 });
});

Deno.test("a preview keeps nothing", async () => {
  const { database, sql, points, compare } = await setup();
  await using _ = database;
  const told = await compare(points(3), { dryRun: true });
  assert.deepEqual([told.outcome, told.differences.length], ["previewed", 1]);
  assert.deepEqual([...(await findings(sql))], []);
  assert.equal((await sql`select from switchyard.wallet_meta_analytics`).length, 0);
});

Deno.test("a charge of which Meta tells nothing is found", async () => {
  const { database, payer, points, compare } = await setup();
  await using _ = database;
  assert.deepEqual((await compare(points().slice(1))).differences, [
    differing(payer, { meta_volume: 0, our_volume: 2 }),
  ]);
});

Deno.test("amounts are compared to a rounding, and only in the currency of the charges", async () => {
  const { database, payer, points, compare } = await setup();
  await using _ = database;
  assert.deepEqual((await compare(points(2, 84_999))).differences, []);
  assert.deepEqual((await compare(points(2, 90_000))).differences, [
    differing(payer, {
      meta_volume: 2,
      our_volume: 2,
      meta_micros: "90000",
      our_micros: "80000",
    }),
  ]);
  assert.deepEqual((await compare(points(2, 90_000), { currency: "EUR" })).differences, []);
});

Deno.test("a message at an edge of the period may count on either side", async () => {
  const { database, points, compare } = await setup({ at: "2026-11-22T23:50:00Z" });
  await using _ = database;
  assert.deepEqual((await compare(points())).differences, []);
  assert.deepEqual((await compare([])).differences, []);
  assert.equal((await compare(points(3))).differences.length, 1);
});

Deno.test("an answer without numbers is held against all senders of the account", async () => {
  const { database, points, compare } = await setup();
  await using _ = database;
  const together = points().map((point) => ({ ...point, phone_number: null }));
  assert.deepEqual((await compare(together)).differences, []);
  const [difference] = (await compare([together[0]!])).differences;
  assert.deepEqual(difference, {
    category: "service",
    type: "free_customer_service",
    meta_volume: 0,
    our_volume: 1,
  });
});

Deno.test("numbers that nobody knows or pays for are named and not compared", async () => {
  const { database, sql, payer, points, compare } = await setup();
  await using _ = database;
  const stranger = aPoint({ phone_number: "4915999", volume: 7 });
  assert.deepEqual((await compare([...points(), stranger])).not_compared, [
    { phone_number: "4915999", reason: "unknown_phone_number" },
  ]);
  await setBilling(sql, payer.tenantId, { billing: "none" });
  const { compared, not_compared } = await compare(points(9));
  assert.deepEqual([compared, not_compared.map(({ reason }) => reason)], [0, ["nobody_pays"]]);
});

Deno.test("a number that Meta tells by number and by id is one sender", async () => {
  const { database, payer, points, compare } = await setup();
  await using _ = database;
  const [regular, free] = points();
  const byId = { ...regular!, phone_number: payer.phoneNumberId, volume: 1, cost_micros: null };
  const told = await compare([{ ...regular!, volume: 1 }, byId, free!]);
  assert.deepEqual(told.differences, []);
});

Deno.test("a number that was registered again is one with its earlier self", async () => {
  const { database, sql, points, compare } = await setup();
  await using _ = database;
  await sql`
    insert into switchyard.senders (tenant_id, phone_number_id, business_account_id,
      display_phone_number, credential_id)
    select tenant_id, '999' || phone_number_id, business_account_id, display_phone_number,
      credential_id
    from switchyard.senders`;
  const told = await compare(points());
  assert.deepEqual([told.compared, told.differences], [2, []]);
});

Deno.test("an account without a sender is not known", async () => {
  const { database, compare } = await setup();
  await using _ = database;
  assert.deepEqual(await compare([], { business_account_id: "1" }), {
    outcome: "unknown_business_account",
  });
});

Deno.test("POST meta-analytics takes Meta's answer and tells what differs", async () => {
  const { database, sql, payer, account, points } = await setup();
  await using _ = database;
  await using api = await startTestDataApi(database);
  const log = createLog({ write: () => {}, now: () => 0, fields: {} });
  const handler = createHandler({
    call: api.callRpc,
    identify: () => Promise.resolve({ ok: true, caller: { kind: "secret", tenantId: null } }),
    randomBytes: (length) => new Uint8Array(length),
    resolve: () => Promise.resolve([]),
    reach: "public",
    statistics: null,
    memory: { maxEntries: 1, ttlMs: 1 },
    breakers: null,
  });
  const [start, end] = [DAY.starts_at, DAY.ends_at].map((at) => Date.parse(at) / 1_000);
  const counted = points(3).map((point) => ({
    start,
    end,
    phone_number: point.phone_number,
    country: "DE",
    pricing_category: point.category.toUpperCase(),
    pricing_type: point.type.toUpperCase(),
    volume: point.volume,
    cost: point.cost_micros! / 1_000_000,
  }));
  const answer = { id: account, pricing_analytics: { data: [{ data_points: counted }] } };
  const response = await serve("admin", handler, { log, now: () => 0 })(
    new Request("http://localhost/admin/wallet/meta-analytics", {
      method: "POST",
      body: JSON.stringify({ start, end, currency: "USD", answer }),
    }),
  );
  assert.equal(response.status, 200);
  assert.deepEqual(await response.json(), {
    dry_run: false,
    compared: 2,
    differences: [differing(payer, {
      meta_volume: 3,
      our_volume: 2,
      currency: "USD",
      meta_cost: "0.12",
      our_cost: "0.08",
    })],
    not_compared: [],
  });
  assert.equal((await findings(sql)).length, 1);
});
