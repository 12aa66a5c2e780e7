import { strict as assert } from "node:assert";

import { splitWebhook } from "../../supabase/functions/_shared/whatsapp/webhook_events.ts";
import { startTestDataApi } from "../support/data_api.ts";
import { createDatabase, type Sql } from "../support/database.ts";
import { MARK } from "../support/fuzz/bodies.ts";
import { expectedMarks } from "../support/fuzz/expected_marks.ts";
import { type BrokenBody, makeBodies } from "../support/fuzz/make_bodies.ts";
import { wireReceiving } from "../support/wired_receiving.ts";
import { createTenancy } from "../support/tenancy.ts";

/** A longer run: SWITCHYARD_FUZZ_BODIES=200000 SWITCHYARD_FUZZ_SEED=7 deno test -A <this file> */
const BODIES = Number(Deno.env.get("SWITCHYARD_FUZZ_BODIES") ?? 10_000);
const SEED = Number(Deno.env.get("SWITCHYARD_FUZZ_SEED") ?? 20261122);
const AT_ONCE = 64;

/** What the bodies hold by the rule: each event once by its key, and every mark of every body. */
interface Expected {
  events: number;
  quarantined: Map<string, boolean>;
  marks: Map<string, string[]>;
  /** Keys of bodies in which nothing is broken. */
  whole: Set<string>;
}

function expect(expected: Expected, { bytes, mutations }: BrokenBody, owned: Set<string>): void {
  const events = splitWebhook(bytes);
  const kept = new Set(JSON.stringify(events.map(({ payload }) => payload)).match(MARK));
  for (const mark of expectedMarks(bytes)) {
    assert.ok(kept.has(mark), `${mark} is in no event after ${mutations}, seed ${SEED}`);
  }
  for (const { key, kind, payload, phone_number_id, business_account_id } of events) {
    const owner = phone_number_id ?? business_account_id;
    expected.quarantined.set(key, kind === "unknown" || !owned.has(owner ?? ""));
    const seen = expected.marks.get(key) ?? [];
    expected.marks.set(key, [...seen, marksOf(payload)]);
  }
  expected.events += events.length;
  if (mutations.length > 0) return;
  const reasons = events.map(({ reason }) => reason).filter((reason) => reason !== undefined);
  assert.deepEqual(reasons, [], "a body as Meta documents it is not understood");
  for (const { key } of events) expected.whole.add(key);
}

function marksOf(payload: unknown): string {
  return [...new Set(JSON.stringify(payload).match(MARK))].sort().join(" ");
}

async function* readEvents(sql: Sql) {
  const rows = sql<{ key: string; state: string; payload: unknown }[]>`
    select encode(event_key, 'hex') as key, state, payload from switchyard.inbound_events`;
  for await (const batch of rows.cursor(1_000)) yield* batch;
}

async function checkStored(sql: Sql, expected: Expected): Promise<void> {
  const missing = new Set(expected.quarantined.keys());
  for await (const { key, state, payload } of readEvents(sql)) {
    assert.ok(missing.delete(key), `an event that nobody sent, seed ${SEED}`);
    assert.equal(state === "quarantined", expected.quarantined.get(key), `${key}, seed ${SEED}`);
    // Of items that are one by their identity, the first to come is kept.
    assert.ok(expected.marks.get(key)!.includes(marksOf(payload)), `${key}, seed ${SEED}`);
  }
  assert.deepEqual([...missing], [], `events were lost, seed ${SEED}`);
}

Deno.test(`${BODIES} mutated bodies, seed ${SEED}: none fails, nothing is lost, all can be applied`, async (t) => {
  await using database = await createDatabase();
  await using api = await startTestDataApi(database);
  const { sql } = database;
  const tenancies = [await createTenancy(sql), await createTenancy(sql), await createTenancy(sql)];
  const owned = new Set(
    tenancies.flatMap(({ phoneNumberId, businessAccountId }) => [phoneNumberId, businessAccountId]),
  );
  const { post, drain, counts, lines } = wireReceiving(api.callRpc);
  const expected: Expected = {
    events: 0,
    quarantined: new Map(),
    marks: new Map(),
    whole: new Set(),
  };

  await t.step("each is answered 200, and the log complains of none", async () => {
    const bodies = makeBodies({ seed: SEED, count: BODIES, addressees: tenancies });
    await Promise.all(Array.from({ length: AT_ONCE }, async () => {
      for (const body of bodies) {
        expect(expected, body, owned);
        assert.equal(await post(body.bytes), 200, `after ${body.mutations}, seed ${SEED}`);
      }
    }));
    assert.deepEqual(lines.filter(({ level }) => level === "ERROR"), []);
  });

  await t.step("every item is stored or quarantined, once, with what it said", async () => {
    await checkStored(sql, expected);
  });

  await t.step(
    "the counts that were logged, and those of the quarantine, are what there is",
    async () => {
      const quarantined = [...expected.quarantined.values()].filter(Boolean).length;
      assert.ok(quarantined > 0 && quarantined < expected.quarantined.size);
      assert.deepEqual(counts, {
        stored: expected.quarantined.size,
        duplicates: expected.events - expected.quarantined.size,
        quarantined,
      });
      const { reasons } = await api.callRpc("list_quarantine", {
        filter: {},
        after_id: 0,
        page_limit: 1,
      }) as { reasons: { count: number; is_complete: boolean }[] };
      const capped = reasons.some(({ is_complete }) => !is_complete);
      if (!capped) assert.equal(reasons.reduce((sum, { count }) => sum + count, 0), quarantined);
    },
  );

  await t.step(
    "each one that has an owner is applied, or dead because it says too little",
    async () => {
      const pending = counts.stored - counts.quarantined;
      const report = await drain(500);
      const { claimed, applied, dead } = report;
      assert.deepEqual([claimed, applied + dead], [pending, pending], JSON.stringify(report));
      const letters = await sql<{ cause: string; found: number }[]>`
      select cause, count(*)::integer as found from switchyard.dead_letters group by cause`;
      assert.ok(
        letters.every(({ cause }) => /^(status|message)_/.test(cause)),
        JSON.stringify(letters),
      );
      const buried = await sql<{ key: string }[]>`
      select encode(event_key, 'hex') as key from switchyard.inbound_events where state = 'dead'`;
      assert.ok(dead > 0 && buried.every(({ key }) => !expected.whole.has(key)));
    },
  );
});
