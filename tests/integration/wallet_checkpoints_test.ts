import { strict as assert } from "node:assert";
import { createHash } from "node:crypto";
import { createDatabase, type Sql } from "../support/database.ts";
import { connectFunctions, createTenant, walletOf } from "../support/wallet.ts";

const noon = "2026-12-01T12:00:00Z";

async function setup() {
  const database = await createDatabase();
  const owner = database.sql;
  const [sql] = await connectFunctions(database);
  const wallet = walletOf(sql!, await createTenant(database));
  const [account, other] = [await wallet.open(5_000_000), await wallet.open()];
  for (const amount_micros of [100, 200, 300]) {
    await wallet.transfer(account, other, { amount_micros });
  }
  const seal = async (limit = 1_000) =>
    (await owner`select switchyard.seal_wallet(${noon}, ${limit}) as n`)[0]!.n;
  const verify = async (after = 0, limit = 100) =>
    (await sql!`select switchyard_api.verify_wallet(${after}, ${limit}) as found`)[0]!.found;
  return { database, owner, sql: sql!, wallet, account, other, seal, verify };
}

type World = Awaited<ReturnType<typeof setup>>;

/** Changes rows behind the back of every trigger, as a superuser can. */
async function tamper({ owner }: World, table: string, change: (sql: Sql) => Promise<unknown>) {
  const name = owner(`switchyard.${table}`);
  await owner`grant all on ${name} to current_user`;
  await owner`alter table ${name} disable trigger user`;
  await change(owner);
  await owner`alter table ${name} enable trigger user`;
}

Deno.test("each entry is sealed once, by checkpoints that carry each other, and all are verified", async () => {
  const world = await setup();
  await using _ = world.database;
  const { seal, verify, wallet, account, other, owner } = world;
  assert.deepEqual(await verify(), {
    outcome: "verified",
    checkpoints: 0,
    entries: 0,
    broken: [],
    next: null,
    newest: null,
  });
  assert.equal(await seal(), 8, "two of the top-up, six of the transfers");
  assert.equal(await seal(), 0, "nothing is new");
  await wallet.transfer(account, other);
  assert.equal(await seal(), 2);
  const found = await verify();
  assert.deepEqual([found.outcome, found.checkpoints, found.entries], ["verified", 2, 10]);
  const [newest] = await owner`
    select encode(hash, 'hex') as hash from switchyard.wallet_checkpoints where id = 2`;
  assert.deepEqual([found.newest.id, found.newest.hash], [2, newest!.hash]);
});

Deno.test("more than one checkpoint takes is left to the next, and proved in pages", async () => {
  const world = await setup();
  await using _ = world.database;
  const sealed: number[] = [];
  for (let n = await world.seal(3); n > 0; n = await world.seal(3)) sealed.push(n);
  assert.equal(sealed.reduce((sum, n) => sum + n, 0), 8);
  assert.ok(sealed.length > 1 && sealed.every((n) => n <= 6), String(sealed));
  const first = await world.verify(0, 1);
  assert.deepEqual([first.checkpoints, first.next], [1, 1]);
  const rest = await world.verify(first.next, 100);
  assert.deepEqual([rest.checkpoints, rest.next, rest.outcome], [
    sealed.length - 1,
    null,
    "verified",
  ]);
});

Deno.test("the seal of an account can be made again from what the documentation says", async () => {
  const world = await setup();
  await using _ = world.database;
  await world.seal();
  const leaves = await world.owner<{ leaf: Uint8Array }[]>`
    select leaf from switchyard.hash_entries(${world.other}, 1, 3) order by sequence`;
  const hash = createHash("sha256").update(new Uint8Array([4])).update(new Uint8Array(32));
  for (const { leaf } of leaves) hash.update(leaf);
  const [told] = await world.owner`select switchyard.tell_checkpoint(${world.other}, 2) as seal`;
  assert.equal(told!.seal.account_hash, hash.digest("hex"));
  assert.equal(told!.seal.sequence, 3);
});

type Change = (sql: Sql, world: World) => Promise<unknown>;
const entry = (fault: string) => (world: World) => ({
  rule: "entry_is_as_sealed",
  subject: `${world.other} #2`,
  detail: { checkpoint: 1, fault },
});
const faults: [fault: string, table: string, change: Change, found: (world: World) => unknown][] = [
  [
    "an entry that tells another amount and balance",
    "wallet_entries",
    (sql, { other }) =>
      sql`update switchyard.wallet_entries
        set amount_micros = amount_micros + 7, balance_micros = balance_micros + 7
        where account_id = ${other} and sequence = 2`,
    entry("changed"),
  ],
  [
    "an entry that was recorded at another time",
    "wallet_entries",
    (sql, { other }) =>
      sql`update switchyard.wallet_entries set created_at = created_at + interval '1 microsecond'
        where account_id = ${other} and sequence = 2`,
    entry("changed"),
  ],
  [
    "an entry that is gone",
    "wallet_entries",
    (sql, { other }) =>
      sql`delete from switchyard.wallet_entries where account_id = ${other} and sequence = 2`,
    entry("missing"),
  ],
];
for (const [fault, table, change, found] of faults) {
  Deno.test(`${fault} is named by the proof`, async () => {
    const world = await setup();
    await using _ = world.database;
    await world.seal();
    await tamper(world, table, (sql) => change(sql, world));
    const { outcome, broken } = await world.verify();
    assert.equal(outcome, "broken");
    assert.deepEqual(
      broken.map(({ tenant_id: _, ...rest }: Record<string, unknown>) => rest),
      [found(world)],
    );
    const [row] = await world.owner`select switchyard.check_wallet_invariants() as n`;
    assert.ok(row!.n >= 1, "the proof of every night finds it too");
  });
}

Deno.test("what a transfer says is sealed with its entries, on both sides", async () => {
  const world = await setup();
  await using _ = world.database;
  await world.seal();
  await tamper(
    world,
    "wallet_transfers",
    (sql) =>
      sql`update switchyard.wallet_transfers set actor = '{"kind":"nobody"}'
      where id = (select transfer_id from switchyard.wallet_entries
        where account_id = ${world.other} and sequence = 2)`,
  );
  const { broken } = await world.verify();
  assert.deepEqual(
    broken.map(({ subject }: { subject: string }) => subject).sort(),
    [`${world.account} #3`, `${world.other} #2`].sort(),
  );
});

const chain: [fault: string, table: string, change: Change, rules: string[]][] = [
  [
    "a seal whose leaves were made to fit a changed entry",
    "wallet_seals",
    (sql, { other }) =>
      sql`update switchyard.wallet_seals set leaves = set_byte(leaves, 0, 1 - get_byte(leaves, 0) % 2)
        where account_id = ${other}`,
    ["entry_is_as_sealed", "seal_carries_the_one_before"],
  ],
  [
    "a seal whose hash was made to fit its leaves",
    "wallet_seals",
    (sql, { other }) =>
      sql`update switchyard.wallet_seals set hash = sha256('other') where account_id = ${other}`,
    ["checkpoint_carries_the_one_before", "seal_carries_the_one_before"],
  ],
  [
    "a checkpoint whose root was made to fit its seals",
    "wallet_checkpoints",
    (sql) => sql`update switchyard.wallet_checkpoints set root = sha256('other') where id = 1`,
    ["checkpoint_carries_the_one_before"],
  ],
  [
    "a checkpoint that was replaced by another, hash and all",
    "wallet_checkpoints",
    (sql) =>
      sql`update switchyard.wallet_checkpoints set entry_count = 9,
        hash = switchyard.hash_checkpoint(id, 9, root, previous_hash) where id = 1`,
    ["checkpoint_carries_the_one_before"],
  ],
];
for (const [fault, table, change, rules] of chain) {
  Deno.test(`${fault} breaks the chain`, async () => {
    const world = await setup();
    await using _ = world.database;
    await world.seal();
    await world.wallet.transfer(world.account, world.other);
    await world.seal();
    await tamper(world, table, (sql) => change(sql, world));
    const { broken } = await world.verify();
    const found = new Set<string>(broken.map(({ rule }: { rule: string }) => rule));
    assert.deepEqual([...found].sort(), rules);
  });
}

Deno.test("checkpoints and seals are changed by nobody, not by the owner of the tables", async () => {
  const world = await setup();
  await using _ = world.database;
  await world.seal();
  for (const table of ["wallet_checkpoints", "wallet_seals"]) {
    const name = world.owner(`switchyard.${table}`);
    await assert.rejects(
      Promise.resolve(world.owner`delete from ${name}`),
      /permission denied|never changed/,
    );
    await assert.rejects(Promise.resolve(world.sql`select from ${name}`), /permission denied/);
  }
});

Deno.test("entries that are written meanwhile are sealed later, none is passed over", async () => {
  const world = await setup();
  await using _ = world.database;
  const [slow] = await connectFunctions(world.database);
  await slow!`begin`;
  await walletOf(slow!, world.wallet.tenantId).transfer(world.account, world.other);
  assert.equal(await world.seal(), 8);
  await slow!`commit`;
  assert.equal(await world.seal(), 2);
  assert.equal((await world.verify()).entries, 10);
});

Deno.test("two that seal at once make one checkpoint of it", async () => {
  const world = await setup();
  await using _ = world.database;
  const counts = await Promise.all(Array.from({ length: 4 }, () => world.seal()));
  assert.equal(counts.reduce((sum, n) => sum + n, 0), 8);
  assert.equal((await world.verify()).outcome, "verified");
});
