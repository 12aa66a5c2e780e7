import { strict as assert } from "node:assert";
import fc from "fast-check";
import { createDatabase, type Sql, type TestDatabase } from "../support/database.ts";
import { connectFunctions, createTenant, type TenantWallet, walletOf } from "../support/wallet.ts";
import { assertBooksHold } from "../support/wallet_books.ts";
import { WalletModel } from "../support/wallet_model.ts";

// What must be true after every step, besides what assertBooksHold lists (a transfer sums to zero,
// entries follow each other, an account is the sum of its entries, held is the sum of open holds, no
// account is overdrawn, a hold has captured what its captures say, a key keeps its answer):
// - the answer is the one that the model gives;
// - every balance, held amount, hold and debt is the model's;
// - a step that was refused or repeated changed no row;
// - the check that runs by itself finds nothing.

const seed = Number(Deno.env.get("WALLET_SEED") ?? crypto.getRandomValues(new Int32Array(1))[0]);
const runs = Number(Deno.env.get("WALLET_RUNS") ?? 15);
const accountCount = 3;
const epoch = Date.UTC(2026, 11, 1);

const index = fc.nat(accountCount - 1);
// Some are equal, so that holds are captured whole.
const amount = fc.oneof(fc.constantFrom(50, 100), fc.integer({ min: 1, max: 300 }));
const nth = fc.nat(20);
const step = fc.oneof(
  fc.record({ kind: fc.constant("top_up" as const), account: index, amount }),
  fc.record({ kind: fc.constant("transfer" as const), account: index, other: index, amount }),
  fc.record({
    kind: fc.constant("hold" as const),
    account: index,
    amount,
    minutes: fc.option(fc.integer({ min: 0, max: 30 })),
  }),
  fc.record({ kind: fc.constant("capture" as const), nth, amount }),
  fc.record({ kind: fc.constant("charge" as const), nth, amount, reference: fc.nat(3) }),
  fc.record({ kind: fc.constant("release" as const), nth }),
  fc.record({ kind: fc.constant("expire" as const), minutes: fc.integer({ min: 1, max: 20 }) }),
  fc.record({ kind: fc.constant("repay" as const) }),
);
type Step = typeof step extends fc.Arbitrary<infer Asked> ? Asked : never;

interface World {
  database: TestDatabase;
  wallets: TenantWallet[];
  accounts: string[];
  /** The ids of the model's holds. */
  holds: string[];
  seen: Set<string>;
}

class Command implements fc.AsyncCommand<WalletModel, World> {
  constructor(readonly step: Step, readonly connection: number, readonly again: boolean) {}

  check({ holds }: Readonly<WalletModel>): boolean {
    return !("nth" in this.step) || holds.length > 0;
  }

  async run(model: WalletModel, world: World): Promise<void> {
    const wallet = world.wallets[this.connection % world.wallets.length]!;
    const key = crypto.randomUUID();
    const before = await readRows(world);
    const expected = tell(model, world, this.step);
    const returned = await perform(model, world, wallet, this.step, key);
    world.seen.add(String(returned));
    // What runs by itself serves all tenants: what it says is not of this one.
    if (typeof expected === "string") assert.equal(returned, expected);
    const after = await readRows(world);
    const changes = expected === "completed" || typeof expected === "number" && expected > 0;
    assert.equal(after !== before, changes);
    if (this.again && hasKey(this.step)) {
      const repeated = await perform(model, world, wallet, this.step, key);
      assert.equal(repeated, "replayed");
      assert.equal(await readRows(world), after);
    }
    await assertSameAsModel(model, world);
    await assertBooksHold(world.database.sql);
  }

  toString(): string {
    return JSON.stringify(this.step);
  }
}

const commands = fc.commands(
  [
    fc.tuple(step, nth, fc.boolean()).map(([asked, connection, again]) =>
      new Command(asked, connection, again)
    ),
  ],
  { maxCommands: 40, size: "max" },
);

function hasKey({ kind }: Step): boolean {
  return kind !== "charge" && kind !== "expire" && kind !== "repay";
}

/** What the model answers; it is then as it must be afterwards. */
function tell(model: WalletModel, { accounts }: World, step: Step): string | number {
  switch (step.kind) {
    case "top_up":
      return model.topUp(step.account, step.amount);
    case "transfer":
      return model.transfer(step.account, step.other, step.amount);
    case "hold":
      return model.place(step.account, step.amount, step.minutes);
    case "capture":
      return model.capture(model.holds[step.nth % model.holds.length]!, step.amount);
    case "charge":
      return model.charge(
        model.holds[step.nth % model.holds.length]!,
        step.amount,
        `r${step.reference}`,
      );
    case "release":
      return model.release(model.holds[step.nth % model.holds.length]!);
    case "expire":
      model.now += step.minutes;
      return model.expire();
    case "repay":
      return model.repay(
        accounts.map((_, nth) => nth).sort((a, b) => accounts[a]! < accounts[b]! ? -1 : 1),
      );
  }
}

/** What the wallet answers. */
async function perform(
  model: WalletModel,
  world: World,
  wallet: TenantWallet,
  step: Step,
  key: string,
): Promise<string | number> {
  const { accounts, holds, database: { sql } } = world;
  const at = timeOf(model.now);
  // The step may have added the hold that it asks for to the model.
  const known = "nth" in step ? holds[step.nth % holds.length]! : "";
  switch (step.kind) {
    case "top_up":
      return (await wallet.topUp(accounts[step.account]!, {
        key,
        payment_id: key,
        amount_micros: step.amount,
      })).outcome;
    case "transfer":
      return (await wallet.transfer(accounts[step.account]!, accounts[step.other]!, {
        key,
        amount_micros: step.amount,
      })).outcome;
    case "hold": {
      const placed = await wallet.hold(accounts[step.account]!, {
        key,
        amount_micros: step.amount,
        expires_at: step.minutes === null ? null : timeOf(model.now + step.minutes),
        at,
      });
      if (placed.outcome === "completed") holds.push(placed.id!);
      return placed.outcome;
    }
    case "capture":
      return (await wallet.capture(known, step.amount, { key, at })).outcome;
    case "charge":
      return await charge(sql, known, step.amount, `r${step.reference}`, at);
    case "release":
      return (await wallet.release(known, { key, at })).outcome;
    case "expire":
      return (await sql`select switchyard.expire_holds(${at}, 1000) as n`)[0]!.n;
    case "repay":
      return (await sql`select switchyard.repay_debts(1000) as n`)[0]!.n;
  }
}

async function charge(
  sql: Sql,
  hold_id: string,
  amount_micros: number,
  reference: string,
  at: string,
): Promise<string> {
  const asked = { index: 0, hold_id, action: "capture", amount_micros, reference, even_late: true };
  const [row] = await sql`
    select answer from switchyard.resolve_holds(${sql.json([asked])}, '{}', ${at})`;
  return row!.answer.outcome;
}

function timeOf(minutes: number): string {
  return new Date(epoch + minutes * 60_000).toISOString();
}

async function assertSameAsModel(model: WalletModel, world: World): Promise<void> {
  const { accounts, holds, database: { sql }, wallets } = world;
  const rows = await sql<
    { id: string; kind: string; posted_micros: number; held_micros: number }[]
  >`
    select id, kind, posted_micros, held_micros from switchyard.wallet_accounts
    where tenant_id = ${wallets[0]!.tenantId}`;
  const cash = accounts.map((id) => rows.find((row) => row.id === id)!);
  assert.deepEqual(cash.map((row) => row.posted_micros), model.posted);
  assert.deepEqual(cash.map((row) => row.held_micros), model.held);
  const debt = rows.find(({ kind }) => kind === "receivable")?.posted_micros ?? 0;
  assert.equal(debt + model.debt, 0);

  const real = await sql<
    { id: string; status: string; captured_micros: number; released_micros: number }[]
  >`
    select id, status, captured_micros, released_micros from switchyard.wallet_holds
    where id = any(${holds})`;
  const told = holds.map((id) => {
    const hold = real.find((row) => row.id === id)!;
    return [hold.status, hold.captured_micros, hold.released_micros];
  });
  assert.deepEqual(told, model.holds.map((hold) => [hold.status, hold.captured, hold.released]));
}

/** Every row of the tenant's books, to see that what changes nothing changes nothing. */
async function readRows({ database: { sql }, wallets: [wallet] }: World): Promise<string> {
  const [row] = await sql<{ rows: string }[]>`
    with account as (
      select * from switchyard.wallet_accounts where tenant_id = ${wallet!.tenantId} order by id
    )
    select concat(
      (select jsonb_agg(a order by a.id) from account a where a.kind <> 'receivable'),
      (select jsonb_agg(h order by h.id) from switchyard.wallet_holds h
        join account a on a.id = h.account_id),
      (select jsonb_agg(e order by e.account_id, e.sequence) from switchyard.wallet_entries e
        join account a on a.id = e.account_id)) as rows`;
  return row!.rows;
}

Deno.test(`after any steps the wallet is what the model says, and the books hold (seed ${seed})`, async () => {
  await using database = await createDatabase();
  const connections = await connectFunctions(database, 4);
  const seen = new Set<string>();
  await fc.assert(
    fc.asyncProperty(commands, async (steps) => {
      const tenantId = await createTenant(database);
      const wallets = connections.map((sql) => walletOf(sql, tenantId));
      const accounts: string[] = [];
      for (let n = 0; n < accountCount; n++) accounts.push(await wallets[0]!.open());
      const world: World = { database, wallets, accounts, holds: [], seen };
      const setup = () => ({ model: new WalletModel(accountCount), real: world });
      await fc.asyncModelRun(setup, steps);
      assert.equal(await countBroken(database.sql), 0);
    }),
    { numRuns: runs, seed },
  );
  for (const outcome of ["completed", "insufficient_funds"]) {
    assert.ok(seen.has(outcome), `no run came upon ${outcome}`);
  }
});

Deno.test(`whatever sixteen connections ask at once, killed at random, the books hold (seed ${seed})`, async () => {
  await using database = await createDatabase();
  const { sql } = database;
  const asked = fc.array(fc.record({ step, dies: fc.integer({ min: 0, max: 14 }) }), {
    minLength: 32,
    maxLength: 96,
    size: "max",
  });
  await fc.assert(
    fc.asyncProperty(asked, async (steps) => {
      const connections = await connectFunctions(database, 16);
      const tenantId = await createTenant(database);
      const wallets = connections.map((own) => walletOf(own, tenantId));
      const accounts: string[] = [];
      for (let n = 0; n < accountCount; n++) accounts.push(await wallets[0]!.open(200));
      const holds: string[] = [];
      for (let n = 0; n < 6; n++) {
        holds.push((await wallets[0]!.hold(accounts[n % 3]!, { amount_micros: 30 })).id!);
      }
      const world: World = { database, wallets, accounts, holds, seen: new Set() };
      const model = new WalletModel(accountCount);
      const backends = await Promise.all(
        connections.map(async (own) => (await own`select pg_backend_pid() as pid`)[0]!.pid),
      );
      await Promise.all(steps.map(async ({ step, dies }, turn) => {
        const lane = turn % 16;
        const done = perform(model, world, wallets[lane]!, step, `key-${turn % 24}`)
          .catch(onlyIfCut);
        if (dies === 0) await sql`select pg_terminate_backend(${backends[lane]!})`;
        await done;
      }));
      await Promise.all(connections.map((own) => own.end({ timeout: 1 })));
      await assertBooksHold(sql);
      assert.equal(await countBroken(sql), 0);
    }),
    { numRuns: runs, seed, endOnFailure: true },
  );
});

// 57P01: the connection was terminated. A key that is taken waits for at most its lock_timeout.
function onlyIfCut(error: { code?: string }): void {
  const cut = ["57P01", "CONNECTION_CLOSED", "CONNECTION_ENDED", "ECONNRESET", "EPIPE", "55P03"];
  if (!cut.includes(error.code ?? "")) throw error;
}

async function countBroken(sql: Sql): Promise<number> {
  const [row] = await sql`select switchyard.check_wallet_invariants() as broken`;
  return row!.broken;
}
