import { strict as assert } from "node:assert";
import fc from "fast-check";
import { createDatabase } from "../support/database.ts";
import { createTenant, walletOf } from "../support/wallet.ts";
import { assertBooksHold } from "../support/wallet_books.ts";
import { type Lane, openLane } from "../support/wallet_lane.ts";
import { WalletModel } from "../support/wallet_model.ts";
import { readBooks } from "../support/wallet_seen.ts";
import { ACCOUNTS, type Scene } from "../support/wallet_steps.ts";
import { waves } from "../support/wallet_waves.ts";

// A run is a tenant with three accounts, and up to three waves: of a wave all is asked at once, on
// sixteen connections, one of which may be cut at any moment, by the server or by a client that
// vanishes. What was cut off is asked again under the same key, as any caller would. After every
// wave:
// - there is an order in which one after the other would have been answered the same, whatever was
//   cut off being in it or not, and have left every balance, held amount, hold, number of entries and
//   debt as they are;
// - so a step that was cut off has happened once when it was asked again, and two steps with one key
//   have one answer and one effect;
// - where nothing was granted no row has changed, nor where all is asked again;
// - the books hold, see assertBooksHold: a transfer sums to zero, entries follow each other, an
//   account is the sum of its entries, held is the sum of open holds, no account is overdrawn, a hold
//   has captured what its captures say, a key keeps its answer, a provider's money has its notice.
// At the end the books of all hold, and the check that runs by itself finds nothing.
//
// WALLET_RUNS: how many. WALLET_SEED: one that a failure has printed draws the same waves again; who
// wins a race is then still chance.

const seed = Number(Deno.env.get("WALLET_SEED") ?? crypto.getRandomValues(new Int32Array(1))[0]);
const runs = Number(Deno.env.get("WALLET_RUNS") ?? 2_000);
const lanes = 2;
const opened = 200;

async function openScene(lane: Lane, tenantId: string, run: number): Promise<Scene> {
  const rows = await lane.sql<{ id: string }[]>`
    select switchyard_api.create_wallet_account(${tenantId}, '{"currency":"USD"}', jsonb_build_object(
      'key', 'account ' || nth, 'fingerprint', repeat('0', 64), 'field_digests', '{}'::jsonb), '{}') ->> 'id' as id
    from generate_series(1, ${ACCOUNTS}) nth`;
  // Debts are paid from the accounts in the order of their ids.
  const accounts = rows.map(({ id }) => id).sort();
  await lane.sql`
    select switchyard_api.apply_provider_event('stripe', jsonb_build_object('action', 'credit',
      'event_id', id, 'payment_id', id, 'account_id', id, 'amount_micros', ${opened}::int,
      'currency', 'USD', 'occurred_at', now()))
    from unnest(${accounts}::uuid[]) as id`;
  return { tenantId, accounts, run, minutes: 0 };
}

/** On the first account stands a hold, and one that was released may still be charged for. */
async function openModel({ sql }: Lane, { tenantId, accounts }: Scene): Promise<WalletModel> {
  const model = new WalletModel(Array<number>(ACCOUNTS).fill(opened));
  const wallet = walletOf(sql, tenantId);
  const place = async (amount_micros: number) => {
    const { id } = await wallet.hold(accounts[0]!, { amount_micros });
    model.place(id!, 0, amount_micros);
    return id!;
  };
  const released = await place(200);
  await wallet.release(released);
  model.release(released);
  await place(150);
  return model;
}

/** Runs of one database, one after the other. */
async function runLane(nth: number, tally: Map<string, number>): Promise<void> {
  await using database = await createDatabase();
  const lane = await openLane(database, { functions: 12, owners: 4 });
  let run = 0;
  await fc.assert(
    fc.asyncProperty(waves, async (planned) => {
      const scene = await openScene(lane, await createTenant(database), run++);
      const model = await openModel(lane, scene);
      const { rows } = await readBooks(lane.sql, scene);
      await fc.asyncModelRun(() => ({ model, real: { lane, scene, tally, rows } }), planned);
    }),
    // A race does not shrink: the same waves again may well pass.
    { numRuns: Math.ceil(runs / lanes), seed: seed + nth, endOnFailure: true },
  );
  await assertBooksHold(database.sql);
  await database.sql`select switchyard.check_wallet_invariants()`;
  // A payment that was notified twice, differently, is for a person to look at.
  const found = await database.sql`
    select rule, subject from switchyard.wallet_findings where detail ->> 'outcome' <> 'payment_reused'`;
  assert.deepEqual([...found], []);
}

Deno.test(`whatever is asked at once and cut off, the wallet did it in some order (seed ${seed}, ${runs} runs)`, async () => {
  const tally = new Map<string, number>();
  await Promise.all(Array.from({ length: lanes }, (_, nth) => runLane(nth, tally)));
  for (const wanted of ["completed", "replayed", "insufficient_funds", "debt", "cut off"]) {
    const seen = [...tally].filter(([outcome]) => outcome.includes(wanted));
    const times = seen.reduce((sum, [, count]) => sum + count, 0);
    assert.ok(times >= runs / 50, `${times} of ${runs} runs came upon ${wanted}`);
  }
});
