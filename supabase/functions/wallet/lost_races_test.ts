import { strict as assert } from "node:assert";
import { type CallRpc, DatabaseError } from "../_shared/database.ts";
import { retryLostRaces } from "./lost_races.ts";

function setup(codes: string[]) {
  let calls = 0;
  const waits: number[] = [];
  const call = (() => {
    const code = codes[calls++];
    return code === undefined
      ? Promise.resolve("done")
      : Promise.reject(new DatabaseError("Cannot transfer_funds", { code, unavailable: true }));
  }) as unknown as CallRpc;
  const sleep = (ms: number) => Promise.resolve(void waits.push(ms));
  const again = retryLostRaces(call, { sleep, random: () => 0.5 });
  return { ask: () => again("count_idempotency_error", {}), calls: () => calls, waits };
}

for (const code of ["40001", "40P01"]) {
  Deno.test(`what Postgres gave up as ${code} is asked again, after a growing wait`, async () => {
    const { ask, calls, waits } = setup([code, code]);
    assert.equal(await ask(), "done");
    assert.equal(calls(), 3);
    assert.ok(waits[1]! > waits[0]!, String(waits));
  });
}

Deno.test("the third loss is the caller's to hear of", async () => {
  const { ask, calls } = setup(["40P01", "40P01", "40P01"]);
  await assert.rejects(ask(), /Cannot transfer_funds/);
  assert.equal(calls(), 3);
});

for (const code of ["55P03", "23514", ""]) {
  Deno.test(`what failed as "${code}" is not asked again`, async () => {
    const { ask, calls } = setup([code]);
    await assert.rejects(ask(), DatabaseError);
    assert.equal(calls(), 1);
  });
}
