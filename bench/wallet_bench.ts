import type { Bench, Figure } from "./figures.ts";
import { percentile } from "./figures.ts";
import { type Books, type Contender, contendersOf, openBooks } from "./wallet_contenders.ts";
import { startWalletGround, type WalletGround } from "./wallet_ground.ts";

const ROUNDS = 5;
const ROUND_MS = 1_500;

/** Rates in turn on one Postgres with fsync on, so that what else the machine does meets all alike. */
export const bench: Bench = {
  claim: "one hot wallet takes 10,000 holds a second in batches, ten times one UPDATE for each",

  async run() {
    await using ground = await startWalletGround();
    const books = await prepare(ground);
    const rates = await race(contendersOf(books), ground);
    await assertBooksHold(ground);

    const median = (name: string) => percentile(rates[name] ?? [], 0.5);
    const batched = median("holds_batched_one_wallet");
    const figures: Figure[] = Object.keys(rates).map((name) => ({
      name,
      value: median(name),
      unit: "per_second",
      ...(name === "holds_batched_one_wallet" && { atLeast: 10_000 }),
    }));
    return [
      ...figures,
      {
        name: "batched_to_one_update_each",
        value: batched / median("one_update_each"),
        unit: "ratio",
        atLeast: 10,
      },
      {
        name: "batched_to_one_update_and_row_each",
        value: batched / median("one_update_and_row_each"),
        unit: "ratio",
      },
      {
        name: "with_keys_to_without",
        value: batched / median("holds_batched_without_keys"),
        unit: "ratio",
      },
    ];
  },
};

async function race(
  contenders: Contender[],
  ground: WalletGround,
): Promise<Record<string, number[]>> {
  const rates: Record<string, number[]> = {};
  for (let round = 0; round < ROUNDS; round++) {
    for (const contender of contenders) {
      const rate = await measure(contender, ground);
      // The first round warms up.
      if (round > 0) (rates[contender.name] ??= []).push(rate);
    }
  }
  return rates;
}

async function measure(contender: Contender, ground: WalletGround): Promise<number> {
  const sql = ground.connect(contender.connections);
  await Promise.all(Array.from({ length: contender.connections }, () => sql`select 1`));
  const startedAt = performance.now();
  let done = 0;
  await Promise.all(Array.from({ length: contender.connections }, async () => {
    while (performance.now() - startedAt < ROUND_MS) done += await contender.run(sql);
  }));
  const rate = done / ((performance.now() - startedAt) / 1000);
  await sql.end();
  return rate;
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
