import { strict as assert } from "node:assert";
import { createGroupCommit, GroupCommitFull } from "./group_commit.ts";

interface Call {
  items: string[];
  finish: (answers?: string[]) => Promise<void>;
  fail: (reason: Error) => Promise<void>;
}

interface Limits {
  maxBatch?: number;
  maxWaiting?: number;
  beside?: { maxInFlight: number; minWeight: number };
}

function setup({ maxBatch = 10, maxWaiting = 10, beside }: Limits = {}) {
  const calls: Call[] = [];
  const commit = (items: string[]) =>
    new Promise<string[]>((resolve, reject) => {
      calls.push({
        items,
        finish: (answers = items.map((item) => `${item}!`)) => settled(() => resolve(answers)),
        fail: (reason) => settled(() => reject(reason)),
      });
    });
  const group = createGroupCommit<string, string>({
    commit,
    maxBatch,
    maxWaiting,
    weigh: (item) => item.length,
    ...beside && { beside },
  });
  return { group, calls };
}

// A macrotask later every continuation of the commit has run.
async function settled(act: () => void): Promise<void> {
  act();
  await new Promise((resolve) => setTimeout(resolve, 0));
}

Deno.test("group commit sends the first item at once when idle", async () => {
  const { group, calls } = setup();
  const answer = group.submit("a");
  assert.deepEqual(calls.map(({ items }) => items), [["a"]]);
  await calls[0]!.finish();
  assert.equal(await answer, "a!");
  assert.equal(group.isIdle(), true);
});

Deno.test("group commit is idle once the last caller has its answer", async () => {
  const { group, calls } = setup();
  const idle: boolean[] = [];
  const asking = ["a", "b"].map((item) => group.submit(item).then(() => idle.push(group.isIdle())));
  await calls[0]!.finish();
  await calls[1]!.finish();
  await Promise.all(asking);
  assert.deepEqual(idle, [false, true]);
});

Deno.test("group commit coalesces what arrives while a batch is in flight", async () => {
  const { group, calls } = setup();
  const answers = ["a", "b", "c"].map((item) => group.submit(item));
  assert.equal(calls.length, 1);
  await calls[0]!.finish();
  assert.deepEqual(calls[1]!.items, ["b", "c"]);
  assert.equal(group.isIdle(), false);
  await calls[1]!.finish();
  assert.deepEqual(await Promise.all(answers), ["a!", "b!", "c!"]);
});

Deno.test("group commit sends beside a batch in flight once enough waits, and no more than it may", async () => {
  const { group, calls } = setup({ beside: { maxInFlight: 2, minWeight: 3 } });
  const answers = ["a", "b", "cc", "ddd", "e"].map((item) => group.submit(item));
  const sent = () => calls.map(({ items }) => items);
  assert.deepEqual(sent(), [["a"], ["b", "cc"]]);
  await calls[1]!.finish();
  assert.deepEqual(sent().slice(2), [["ddd", "e"]]);
  const late = group.submit("f");
  await calls[0]!.finish();
  assert.equal(calls.length, 3, "too little waits to go beside another");
  await calls[2]!.finish();
  assert.deepEqual(sent().slice(3), [["f"]]);
  await calls[3]!.finish();
  assert.deepEqual(await Promise.all([...answers, late]), ["a!", "b!", "cc!", "ddd!", "e!", "f!"]);
  assert.equal(group.isIdle(), true);
});

Deno.test("group commit fails the callers of one of two batches in flight alone", async () => {
  const { group, calls } = setup({ beside: { maxInFlight: 2, minWeight: 1 } });
  const first = group.submit("a");
  const second = group.submit("b");
  const refused = assert.rejects(second, /no database/);
  await calls[1]!.fail(new Error("no database"));
  await refused;
  assert.equal(group.isIdle(), false);
  await calls[0]!.finish();
  assert.equal(await first, "a!");
});

Deno.test("group commit never puts more than maxBatch weight into one batch", async () => {
  const { group, calls } = setup({ maxBatch: 4 });
  const answers = ["a", "bb", "cc", "dd", "e"].map((item) => group.submit(item));
  await calls[0]!.finish();
  await calls[1]!.finish();
  await calls[2]!.finish();
  await Promise.all(answers);
  assert.deepEqual(calls.map(({ items }) => items), [["a"], ["bb", "cc"], ["dd", "e"]]);
});

Deno.test("group commit lets an item heavier than maxBatch go alone", async () => {
  const { group, calls } = setup({ maxBatch: 2 });
  const answers = ["a", "heavy", "b"].map((item) => group.submit(item));
  await calls[0]!.finish();
  await calls[1]!.finish();
  await calls[2]!.finish();
  await Promise.all(answers);
  assert.deepEqual(calls.map(({ items }) => items), [["a"], ["heavy"], ["b"]]);
});

Deno.test("group commit fails the callers of a failed batch and no others", async () => {
  const { group, calls } = setup();
  const first = group.submit("a");
  const second = group.submit("b");
  const refused = assert.rejects(first, /no database/);
  await calls[0]!.fail(new Error("no database"));
  await refused;
  await calls[1]!.finish();
  assert.equal(await second, "b!");
});

Deno.test("group commit refuses what exceeds maxWaiting and keeps what waits", async () => {
  const { group, calls } = setup({ maxWaiting: 2 });
  const kept = ["a", "b", "c"].map((item) => group.submit(item));
  await assert.rejects(group.submit("d"), GroupCommitFull);
  await calls[0]!.finish();
  await calls[1]!.finish();
  assert.deepEqual(await Promise.all(kept), ["a!", "b!", "c!"]);
});

Deno.test("group commit takes an item of any weight when idle", async () => {
  const { group, calls } = setup({ maxWaiting: 0 });
  const answer = group.submit("heavier than may wait");
  await calls[0]!.finish();
  assert.equal(await answer, "heavier than may wait!");
});

Deno.test("group commit fails a batch whose commit answers for fewer items", async () => {
  const { group, calls } = setup();
  const refused = assert.rejects(group.submit("a"), /0 answers for 1 items/);
  await calls[0]!.finish([]);
  await refused;
});

Deno.test("group commit fails the caller when commit throws before it returns a promise", async () => {
  const group = createGroupCommit<string, string>({
    commit: () => {
      throw new Error("broken at once");
    },
    maxBatch: 1,
    maxWaiting: 1,
  });
  await assert.rejects(group.submit("a"), /broken at once/);
  assert.equal(group.isIdle(), true);
});

Deno.test("group commit refuses limits that can never work", () => {
  const commit = (items: string[]) => Promise.resolve(items);
  assert.throws(() => createGroupCommit({ commit, maxBatch: 0, maxWaiting: 1 }), RangeError);
  assert.throws(() => createGroupCommit({ commit, maxBatch: 1, maxWaiting: NaN }), RangeError);
  const beside = { maxInFlight: 0, minWeight: 1 };
  assert.throws(
    () => createGroupCommit({ commit, maxBatch: 1, maxWaiting: 1, beside }),
    RangeError,
  );
});
