import type { Bench, Figure } from "./figures.ts";
import { percentile } from "./figures.ts";
import { familyCpuMs } from "./ground/cpu.ts";
import { type Books, type Contender, contendersOf, openBooks } from "./wallet_contenders.ts";
import { type Sql, startWalletGround, type WalletGround } from "./wallet_ground.ts";

const ROUNDS = 5;
const ROUND_MS = 1_500;
/** On each connection: Postgres settles for a plan that it keeps at the sixth call of a statement. */
const WARM_UP_CALLS = 12;

/** Rates in turn on one Postgres with fsync on, so that what else the machine does meets all alike. */
export const bench: Bench = {
  claim: "one hot wallet takes 10,000 holds a second in batches, ten times one UPDATE for each",

  async run(note) {
    await using ground = await startWalletGround();
    const books = await prepare(ground);
    const scores = await race(contendersOf(books), ground);
    await assertBooksHold(ground);
    const cpu = (name: string) => median((scores[name] ?? []).map(({ cpuMs }) => cpuMs));
    note(
      "postgres_cpu_ms_each",
      Object.fromEntries(
        Object.keys(scores).map((name) => [name, cpu(name)]),
      ),
    );

    const rate = (name: string) => median((scores[name] ?? []).map(({ perSecond }) => perSecond));
    const batched = rate("holds_batched_one_wallet");
    const figures: Figure[] = Object.keys(scores).map((name) => ({
      name,
      value: rate(name),
      unit: "per_second",
      ...(name === "holds_batched_one_wallet" && { atLeast: 10_000 }),
    }));
    return [
      ...figures,
      // What the machine could do if it did nothing else: one core, and Postgres alone on it.
      {
        name: "holds_batched_one_wallet_postgres_cpu",
        value: cpu("holds_batched_one_wallet"),
        unit: "ms",
      },
      {
        name: "batched_to_one_update_each",
        value: batched / rate("one_update_each"),
        unit: "ratio",
        atLeast: 10,
      },
      {
        name: "batched_to_one_update_and_row_each",
        value: batched / rate("one_update_and_row_each"),
        unit: "ratio",
      },
      {
        name: "with_keys_to_without",
        value: batched / rate("holds_batched_without_keys"),
        unit: "ratio",
      },
      {
        name: "transfers_with_keys_to_without",
        value: rate("transfers_1000_wallets") / rate("transfers_without_keys_1000_wallets"),
        unit: "ratio",
      },
      {
        name: "transfers_to_plain_ledger",
        value: rate("transfers_1000_wallets") / rate("plain_ledger_1000_wallets"),
        unit: "ratio",
      },
      {
        // What the disk does not blur.
        name: "transfers_to_plain_ledger_postgres_cpu",
        value: cpu("transfers_1000_wallets") / cpu("plain_ledger_1000_wallets"),
        unit: "ratio",
      },
      {
        name: "holds_to_transfers_of_plain_ledger",
        value: batched / rate("plain_ledger_two_wallets"),
        unit: "ratio",
      },
    ];
  },
};

/** What one round measured. */
interface Score {
  perSecond: number;
  /** Of Postgres, for each thing done. */
  cpuMs: number;
}

function median(values: number[]): number {
  return percentile(values, 0.5);
}

async function race(
  contenders: Contender[],
  ground: WalletGround,
): Promise<Record<string, Score[]>> {
  const scores: Record<string, Score[]> = {};
  // The same connections all the time, as pooled ones are.
  const pools = new Map<number, Sql>();
  const poolOf = ({ connections }: Contender) => {
    const pool = pools.get(connections) ?? ground.connect(connections);
    pools.set(connections, pool);
    return pool;
  };
  for (const contender of contenders) await warmUp(contender, poolOf(contender));
  for (let round = 0; round < ROUNDS; round++) {
    for (const contender of contenders) {
      const score = await measure(contender, poolOf(contender), ground.pid);
      (scores[contender.name] ??= []).push(score);
    }
  }
  await Promise.all([...pools.values()].map((sql) => sql.end()));
  return scores;
}

async function warmUp({ connections, run }: Contender, sql: Sql): Promise<void> {
  await Promise.all(Array.from({ length: connections }, async () => {
    for (let call = 0; call < WARM_UP_CALLS; call++) await run(sql);
  }));
}

async function measure(contender: Contender, sql: Sql, postgresPid: number): Promise<Score> {
  await Promise.all(Array.from({ length: contender.connections }, () => contender.run(sql)));
  const cpuBefore = await familyCpuMs(postgresPid);
  const startedAt = performance.now();
  let done = 0;
  await Promise.all(Array.from({ length: contender.connections }, async () => {
    while (performance.now() - startedAt < ROUND_MS) {
      // Not done += await …, which adds to what it read before all the others had run.
      const times = await contender.run(sql);
      done += times;
    }
  }));
  const perSecond = done / ((performance.now() - startedAt) / 1000);
  const cpuMs = (await familyCpuMs(postgresPid) - cpuBefore) / done;
  return { perSecond, cpuMs };
}

async function prepare(ground: WalletGround): Promise<Books> {
  const sql = ground.connect(1);
  const books = await openBooks(sql, { wallets: 1_000 });
  await sql.end();
  return books;
}

async function assertBooksHold(ground: WalletGround): Promise<void> {
  const sql = ground.connect(1);
  const [row] = await sql`
    select switchyard.check_wallet_invariants() as broken`;
  await sql.end();
  if (row?.broken !== 0) throw new Error("The books do not hold after the run");
}
