import { strict as assert } from "node:assert";
import fc from "fast-check";
import { createDatabase, type TestDatabase } from "../support/database.ts";
import {
  connectFunctions,
  createTenant,
  type TenantWallet,
  walletOf,
  type WalletOutcome,
} from "../support/wallet.ts";
import { assertBooksHold } from "../support/wallet_books.ts";

// What is asked names accounts, keys and payments by small numbers, so that they meet often.
interface Ask {
  kind: "transfer" | "top_up";
  source: number;
  destination: number;
  amount_micros: number;
  key: number;
  payment: number;
}

const accountCount = 4;
const newAsk: fc.Arbitrary<Ask> = fc.record({
  kind: fc.constantFrom("transfer", "transfer", "top_up"),
  source: fc.nat(accountCount - 1),
  destination: fc.nat(accountCount - 1),
  amount_micros: fc.integer({ min: 1, max: 400 }),
  key: fc.nat(40),
  payment: fc.nat(12),
});
// Some of what is asked was asked before, under its own key or under the new one.
const step = fc.record({
  ask: newAsk,
  again: fc.option(fc.record({ back: fc.nat(), sameKey: fc.boolean() }), { freq: 3 }),
});

function asksOf(constraints: fc.ArrayConstraints): fc.Arbitrary<Ask[]> {
  return fc.array(step, { ...constraints, size: "max" }).map((steps) =>
    steps.reduce<Ask[]>((asks, { ask, again }) => {
      const earlier = again && asks[again.back % Math.max(asks.length, 1)];
      if (!earlier) return [...asks, ask];
      return [...asks, { ...earlier, key: again.sameKey ? earlier.key : ask.key }];
    }, [])
  );
}

interface World {
  wallet: TenantWallet;
  /** The last account is in another currency than the others. */
  accounts: string[];
}

async function createWorld(wallet: TenantWallet): Promise<World> {
  const accounts: string[] = [];
  for (let index = 0; index < accountCount; index++) {
    accounts.push(await wallet.open(0, index === accountCount - 1 ? "EUR" : "USD"));
  }
  return { wallet, accounts };
}

function perform({ wallet, accounts }: World, { kind, ...asked }: Ask): Promise<WalletOutcome> {
  const { amount_micros } = asked;
  const key = `key-${asked.key}`;
  const destination = accounts[asked.destination]!;
  return kind === "transfer"
    ? wallet.transfer(accounts[asked.source]!, destination, { key, amount_micros })
    : wallet.topUp(destination, { key, amount_micros, payment_id: `pi-${asked.payment}` });
}

/** The wallet as anyone would explain it: what the real one must answer, and hold afterwards. */
class Model {
  readonly balances = Array<number>(accountCount).fill(0);
  readonly #answers = new Map<string, { fields: string; outcome: string }>();
  readonly #payments = new Map<number, string>();

  answer(asked: Ask): string {
    const scoped = `${asked.kind} ${asked.key}`;
    const kept = this.#answers.get(scoped);
    if (kept) return kept.fields === fieldsOf(asked) ? "replayed" : "key_reused";
    const outcome = asked.kind === "transfer" ? this.#transfer(asked) : this.#topUp(asked);
    this.#answers.set(scoped, { fields: fieldsOf(asked), outcome });
    return outcome;
  }

  #transfer({ source, destination, amount_micros }: Ask): string {
    if (source === destination) return "same_account";
    if (isForeign(source) || isForeign(destination)) return "currency_mismatch";
    if (this.balances[source]! < amount_micros) return "insufficient_funds";
    this.balances[source]! -= amount_micros;
    this.balances[destination]! += amount_micros;
    return "completed";
  }

  #topUp(asked: Ask): string {
    if (isForeign(asked.destination)) return "currency_mismatch";
    const credited = this.#payments.get(asked.payment);
    if (credited !== undefined) return credited === fieldsOf(asked) ? "replayed" : "payment_reused";
    this.#payments.set(asked.payment, fieldsOf(asked));
    this.balances[asked.destination]! += asked.amount_micros;
    return "completed";
  }
}

function isForeign(account: number): boolean {
  return account === accountCount - 1;
}

function fieldsOf({ kind, source, destination, amount_micros, payment }: Ask): string {
  return JSON.stringify(
    kind === "transfer"
      ? [source, destination, amount_micros]
      : [destination, amount_micros, payment],
  );
}

async function readBalances({ wallet, accounts }: World): Promise<number[]> {
  const shown = await Promise.all(accounts.map((account) => wallet.show(account)));
  return shown.map((account) => Number(account.posted_micros));
}

/** The ledger as it stands, to see that a step that changes nothing changes nothing. */
async function readLedger({ sql }: TestDatabase, { tenantId }: TenantWallet): Promise<string> {
  const rows = await sql`
    select e.* from switchyard.wallet_entries e
    join switchyard.wallet_transfers t on t.id = e.transfer_id
    where t.tenant_id = ${tenantId} order by e.account_id, e.sequence`;
  return JSON.stringify(rows);
}

Deno.test("after any sequence of requests the wallet is what the model says, and the books hold", async () => {
  await using database = await createDatabase();
  const [sql] = await connectFunctions(database);
  const seen = new Set<string>();
  await fc.assert(
    fc.asyncProperty(asksOf({ minLength: 1, maxLength: 60 }), async (asks) => {
      const world = await createWorld(walletOf(sql!, await createTenant(database)));
      const model = new Model();
      for (const asked of asks) {
        const before = await readLedger(database, world.wallet);
        const returned = await perform(world, asked);
        seen.add(returned.outcome);
        assert.equal(returned.outcome, model.answer(asked));
        const changed = before !== await readLedger(database, world.wallet);
        assert.equal(changed, returned.outcome === "completed");
        assert.deepEqual(await readBalances(world), model.balances);
        await assertBooksHold(database.sql);
      }
    }),
    { numRuns: 60 },
  );
  assert.deepEqual([...seen].sort(), [
    "completed",
    "currency_mismatch",
    "insufficient_funds",
    "key_reused",
    "payment_reused",
    "replayed",
    "same_account",
  ]);
});

Deno.test("whatever sixteen connections ask at once, each key has one answer and the books hold", async () => {
  await using database = await createDatabase();
  const connections = await connectFunctions(database, 16);
  await fc.assert(
    fc.asyncProperty(asksOf({ minLength: 16, maxLength: 120 }), async (asks) => {
      const tenantId = await createTenant(database);
      const worlds = connections.map((sql) => walletOf(sql, tenantId));
      const { accounts } = await createWorld(worlds[0]!);
      const answers = await Promise.all(asks.map(async (asked, index) => ({
        asked,
        returned: await perform({ wallet: worlds[index % worlds.length]!, accounts }, asked),
      })));
      assertOneAnswerForEachKey(answers);
      const credited = answers.filter(({ asked, returned }) =>
        asked.kind === "top_up" && returned.outcome === "completed"
      );
      const total = credited.reduce((sum, { asked }) => sum + asked.amount_micros, 0);
      const balances = await readBalances({ wallet: worlds[0]!, accounts });
      assert.equal(balances.reduce((sum, balance) => sum + balance, 0), total);
      assert.equal(new Set(credited.map(({ asked }) => asked.payment)).size, credited.length);
      await assertBooksHold(database.sql);
    }),
    // A race does not shrink: another run of the same requests may well pass.
    { numRuns: 40, endOnFailure: true },
  );
});

function assertOneAnswerForEachKey(answers: { asked: Ask; returned: WalletOutcome }[]): void {
  const kept = new Map<string, { fields: string; answer: unknown }>();
  for (const { asked, returned } of answers) {
    if (returned.outcome === "key_reused") continue;
    const scoped = `${asked.kind} ${asked.key}`;
    const answer = returned.outcome === "replayed" ? returned.answer : returned;
    const first = kept.get(scoped) ?? { fields: fieldsOf(asked), answer };
    assert.deepEqual({ fields: fieldsOf(asked), answer }, first);
    kept.set(scoped, first);
  }
}
