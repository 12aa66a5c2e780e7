import { strict as assert } from "node:assert";
import { createDatabase, type Sql } from "../support/database.ts";
import { connectFunctions, createTenant, walletOf, type WalletOutcome } from "../support/wallet.ts";
import { assertBooksHold } from "../support/wallet_books.ts";

const noon = "2026-12-01T12:00:00Z";
const later = "2026-12-01T13:00:00Z";

async function setup({ connections = 1 } = {}) {
  const database = await createDatabase();
  const all = await connectFunctions(database, connections);
  const tenantId = await createTenant(database);
  const wallets = all.map((sql) => walletOf(sql, tenantId));
  const wallet = wallets[0]!;
  const account = await wallet.open(5_000_000);
  const place = async (o: Parameters<typeof wallet.hold>[1] = {}) => {
    const { outcome, id } = await wallet.hold(account, { at: noon, ...o });
    assert.equal(outcome, "completed");
    return id!;
  };
  return { database, owner: database.sql, wallets, wallet, account, place };
}

type Part = { amount_micros: number; reference?: string; payee?: string };

/** Captures as charging does: by a reference, late too. */
async function charge(sql: Sql, hold_id: string, part: Part, at = noon): Promise<WalletOutcome> {
  const resolution = { index: 0, hold_id, action: "capture", even_late: true, ...part };
  const [row] = await sql<{ answer: WalletOutcome }[]>`
    select answer from switchyard.resolve_holds(${sql.json([resolution])}, '{}', ${at})`;
  return row!.answer;
}

async function balances({ show }: { show(id: string): Promise<WalletOutcome> }, account: string) {
  const { posted_micros, held_micros, available_micros } = await show(account);
  return [posted_micros, held_micros, available_micros].map(Number);
}

Deno.test("a hold sets money aside, which then can be neither spent nor held", async () => {
  const { database, owner, wallet, account, place } = await setup();
  await using _ = database;
  await place({ amount_micros: 4_000_000 });
  assert.deepEqual(await balances(wallet, account), [5_000_000, 4_000_000, 1_000_000]);
  const refused = {
    outcome: "insufficient_funds",
    currency: "USD",
    needed_micros: "1000001",
    available_micros: "1000000",
  };
  assert.deepEqual(await wallet.hold(account, { amount_micros: 1_000_001 }), refused);
  const other = await wallet.open();
  assert.deepEqual(await wallet.transfer(account, other, { amount_micros: 1_000_001 }), refused);
  await assertBooksHold(owner);
});

Deno.test("a hold is captured in parts up to what it holds, and the rest is released", async () => {
  const { database, owner, wallet, account, place } = await setup();
  await using _ = database;
  const hold = await place({ amount_micros: 1_000_000 });
  const first = await wallet.capture(hold, 300_000);
  assert.deepEqual([first.outcome, first.status, first.held_micros], [
    "completed",
    "open",
    "700000",
  ]);
  assert.equal((await wallet.capture(hold, 200_000)).outcome, "completed");
  const tooMuch = await wallet.capture(hold, 500_001);
  assert.deepEqual([tooMuch.outcome, tooMuch.held_micros], ["amount_exceeds_hold", "500000"]);
  assert.deepEqual(await balances(wallet, account), [4_500_000, 500_000, 4_000_000]);

  const released = await wallet.release(hold);
  assert.deepEqual(
    [released.outcome, released.status, released.captured_micros, released.released_micros],
    ["completed", "released", "500000", "500000"],
  );
  assert.deepEqual(await balances(wallet, account), [4_500_000, 0, 4_500_000]);
  await assertBooksHold(owner);
});

Deno.test("what is captured is the house's revenue", async () => {
  const { database, owner, wallet, place } = await setup();
  await using _ = database;
  await wallet.capture(await place(), 250_000);
  const [revenue] = await owner`
    select posted_micros from switchyard.wallet_accounts where kind = 'revenue'`;
  assert.equal(revenue!.posted_micros, 250_000);
});

const endings: [
  ending: string,
  end: (world: Awaited<ReturnType<typeof setup>>, hold: string) => Promise<unknown>,
][] = [
  ["hold_captured", ({ wallet }, hold) => wallet.capture(hold, 1_000_000)],
  ["hold_released", ({ wallet }, hold) => wallet.release(hold)],
  ["hold_expired", ({ owner }) => owner`select switchyard.expire_holds(${later}, 10)`],
];
for (const [ending, end] of endings) {
  Deno.test(`once it is ${ending} neither capture nor release changes a hold, and both say so`, async () => {
    const world = await setup();
    await using _ = world.database;
    const hold = await world.place({ expires_at: later });
    await end(world, hold);
    const before = await world.wallet.showHold(hold);
    assert.equal((await world.wallet.capture(hold, 1)).outcome, ending);
    assert.equal((await world.wallet.release(hold)).outcome, ending);
    assert.deepEqual(await world.wallet.showHold(hold), before);
    await assertBooksHold(world.owner);
  });
}

Deno.test("past its time a hold counts as expired before anybody has looked", async () => {
  const { database, wallet, account, place } = await setup();
  await using _ = database;
  const hold = await place({ expires_at: later });
  assert.equal((await wallet.capture(hold, 1, { at: later })).outcome, "hold_expired");
  assert.deepEqual(await balances(wallet, account), [5_000_000, 1_000_000, 4_000_000]);
  assert.equal((await wallet.capture(hold, 1, { at: noon })).outcome, "completed");
});

Deno.test("holds expire when their time has come, the oldest first, and give back what is left", async () => {
  const { database, owner, wallet, account, place } = await setup();
  await using _ = database;
  const [second, first] = [
    await place({ expires_at: "2026-12-01T12:30:00Z" }),
    await place({ expires_at: "2026-12-01T12:15:00Z" }),
  ];
  await place({ expires_at: later });
  await place();
  await wallet.capture(first!, 400_000, { at: noon });
  const expire = async (at: string, limit: number) => {
    const [row] = await owner`select switchyard.expire_holds(${at}, ${limit}) as expired`;
    return row!.expired;
  };
  assert.equal(await expire("2026-12-01T12:45:00Z", 1), 1);
  assert.equal((await wallet.showHold(first!)).status, "expired");
  assert.equal((await wallet.showHold(second!)).status, "open");
  assert.equal(await expire("2026-12-01T12:45:00Z", 10), 1);
  assert.equal(await expire("2026-12-01T12:45:00Z", 10), 0);
  assert.deepEqual(await balances(wallet, account), [4_600_000, 2_000_000, 2_600_000]);
  await assertBooksHold(owner);
});

Deno.test("a hold that would expire before it begins is refused", async () => {
  const { database, wallet, account } = await setup();
  await using _ = database;
  const returned = await wallet.hold(account, { at: noon, expires_at: noon });
  assert.deepEqual(returned, { outcome: "already_expired", field: "expires_at" });
});

Deno.test("a refusal stays with its key after the money came, and a hold with its own", async () => {
  const { database, wallet, account } = await setup();
  await using _ = database;
  const o = { key: "k", amount_micros: 6_000_000 };
  const refused = await wallet.hold(account, o);
  assert.equal(refused.outcome, "insufficient_funds");
  await wallet.topUp(account, { amount_micros: 5_000_000 });
  assert.deepEqual(await wallet.hold(account, o), { outcome: "replayed", answer: refused });
  const placed = await wallet.hold(account, { ...o, key: "l" });
  assert.deepEqual(await wallet.hold(account, { ...o, key: "l" }), {
    outcome: "replayed",
    answer: placed,
  });
  assert.deepEqual(await wallet.hold(account, { key: "l", amount_micros: 1 }), {
    outcome: "key_reused",
    fields: ["amount_micros"],
  });
});

Deno.test("a capture asked twice with one key is made once", async () => {
  const { database, owner, wallet, account, place } = await setup();
  await using _ = database;
  const hold = await place();
  const first = await wallet.capture(hold, 400_000, { key: "k" });
  const again = await wallet.capture(hold, 400_000, { key: "k" });
  assert.deepEqual(again, { outcome: "replayed", answer: first });
  assert.deepEqual(await balances(wallet, account), [4_600_000, 600_000, 4_000_000]);
  await assertBooksHold(owner);
});

Deno.test("a hold of another tenant, and of a message, is unknown to who did not place it", async () => {
  const { database, owner, wallet, account, place } = await setup();
  await using _ = database;
  const [sql] = await connectFunctions(database);
  const stranger = walletOf(sql!, await createTenant(database));
  const hold = await place();
  const unknown = { outcome: "unknown_hold" };
  assert.deepEqual(await stranger.capture(hold, 1), unknown);
  assert.deepEqual(await stranger.release(hold), unknown);
  assert.deepEqual(await stranger.showHold(hold), unknown);

  const message_id = crypto.randomUUID();
  const asked = [{
    index: 0,
    account_id: account,
    amount_micros: 1,
    currency: "USD",
    message_id,
  }];
  const [placed] = await owner`
    select answer from switchyard.place_holds(
      ${wallet.tenantId}, ${owner.json(asked)}, '{}', ${noon})`;
  assert.deepEqual(await wallet.capture(placed!.answer.id, 1), unknown);
  assert.deepEqual(await wallet.release(placed!.answer.id), unknown);
  const release = [{ index: 7, message_id, action: "release" }];
  const [released] = await owner`
    select * from switchyard.resolve_holds(${owner.json(release)}, '{}', ${noon})`;
  assert.deepEqual([released!.index, released!.answer.status], [7, "released"]);
  await assertBooksHold(owner);
});

Deno.test("a charge that comes after the release is taken from what the account has", async () => {
  const { database, owner, wallet, account, place } = await setup();
  await using _ = database;
  const hold = await place({ amount_micros: 1_000_000 });
  await wallet.release(hold);
  const late = await charge(owner, hold, { amount_micros: 400_000, reference: "wamid.1 +1555" });
  assert.deepEqual([late.outcome, late.status, late.owed_micros], ["completed", "released", "0"]);
  assert.deepEqual([late.captured_micros, late.released_micros], ["400000", "600000"]);
  assert.deepEqual(await balances(wallet, account), [4_600_000, 0, 4_600_000]);
  await assertBooksHold(owner);
});

Deno.test("a late charge that nobody can pay is owed, stops new holds, and the next top-up pays it", async () => {
  const { database, owner, wallet, account, place } = await setup();
  await using _ = database;
  const hold = await place({ amount_micros: 1_000_000 });
  await wallet.release(hold);
  await place({ amount_micros: 4_900_000 });
  const late = await charge(owner, hold, { amount_micros: 1_000_000 });
  assert.deepEqual([late.outcome, late.status, late.owed_micros], [
    "completed",
    "captured",
    "900000",
  ]);
  assert.deepEqual(await balances(wallet, account), [4_900_000, 4_900_000, 0]);
  assert.deepEqual(await wallet.hold(await wallet.open(), { amount_micros: 1 }), {
    outcome: "debt_outstanding",
    currency: "USD",
    owed_micros: "900000",
  });

  await wallet.topUp(account, { amount_micros: 600_000 });
  assert.deepEqual(await balances(wallet, account), [4_900_000, 4_900_000, 0]);
  assert.equal((await wallet.hold(account, { amount_micros: 1 })).outcome, "debt_outstanding");
  await wallet.topUp(account, { amount_micros: 600_000 });
  assert.deepEqual(await balances(wallet, account), [5_200_000, 4_900_000, 300_000]);
  assert.equal((await wallet.hold(account, { amount_micros: 1 })).outcome, "completed");
  await assertBooksHold(owner);
});

Deno.test("a debt is paid from what another hold gives back, at the next tick", async () => {
  const { database, owner, wallet, account, place } = await setup();
  await using _ = database;
  const hold = await place({ amount_micros: 1_000_000 });
  await wallet.release(hold);
  const all = await place({ amount_micros: 5_000_000 });
  await charge(owner, hold, { amount_micros: 1_000_000 });
  await wallet.release(all);
  assert.equal((await wallet.hold(account, { amount_micros: 1 })).outcome, "debt_outstanding");
  assert.equal((await owner`select switchyard.repay_debts(10) as repaid`)[0]!.repaid, 1);
  assert.deepEqual(await balances(wallet, account), [4_000_000, 0, 4_000_000]);
  assert.equal((await owner`select switchyard.repay_debts(10) as repaid`)[0]!.repaid, 0);
  await assertBooksHold(owner);
});

Deno.test("the same charge brought twice is taken once, and late is no more than was held", async () => {
  const { database, owner, wallet, account, place } = await setup();
  await using _ = database;
  const hold = await place({ amount_micros: 1_000_000 });
  const part = { amount_micros: 400_000, reference: "wamid.1 +1555", payee: "meta_payable" };
  assert.equal((await charge(owner, hold, part)).outcome, "completed");
  assert.equal((await charge(owner, hold, part)).outcome, "already_captured");
  await wallet.release(hold);
  assert.equal((await charge(owner, hold, part)).outcome, "already_captured");
  const more = { amount_micros: 600_001, reference: "wamid.1 +1556" };
  assert.equal((await charge(owner, hold, more)).outcome, "amount_exceeds_hold");
  assert.deepEqual(await balances(wallet, account), [4_600_000, 0, 4_600_000]);
  await assertBooksHold(owner);
});

Deno.test("sixteen connections that end one hold at once end it once, and all are told how", async () => {
  const { database, owner, wallets, wallet, account, place } = await setup({ connections: 16 });
  await using _ = database;
  const hold = await place({ amount_micros: 1_000_000 });
  const outcomes = await Promise.all(
    wallets.map((own, index) => index % 2 === 0 ? own.capture(hold, 1_000_000) : own.release(hold)),
  );
  const done = outcomes.filter(({ outcome }) => outcome === "completed");
  assert.equal(done.length, 1);
  const told = new Set(outcomes.filter((one) => one !== done[0]).map(({ outcome }) => outcome));
  assert.deepEqual([...told], [`hold_${done[0]!.status}`]);
  assert.equal((await balances(wallet, account))[1], 0);
  await assertBooksHold(owner);
});

Deno.test("captures, releases, holds and expiry on sixteen connections never block each other for good", async () => {
  const { database, owner, wallets, wallet, account } = await setup({ connections: 16 });
  await using _ = database;
  const holds = await Promise.all(
    wallets.map((own, index) =>
      own.hold(account, { amount_micros: 100_000, ...(index % 3 === 0 && { expires_at: later }) })
    ),
  );
  const seen = await Promise.all(wallets.flatMap((own, index) => {
    const { id } = holds[index]!;
    return [
      own.capture(id!, 60_000),
      wallets[(index + 5) % 16]!.capture(id!, 60_000),
      wallets[(index + 9) % 16]!.release(id!),
      own.hold(account, { amount_micros: 400_000 }),
      own.topUp(account, { amount_micros: 1_000 }),
      owner`select switchyard.expire_holds(${later}, 100)`.then(() => ({ outcome: "expired" })),
    ];
  }));
  assert.equal(seen.length, 96);
  const [, , available] = await balances(wallet, account);
  assert.ok(available! >= 0);
  await assertBooksHold(owner);
});
