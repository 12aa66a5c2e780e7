import { strict as assert } from "node:assert";

import { retry } from "./retry.ts";

function setup(failures: number) {
  const waits: number[] = [];
  let calls = 0;
  const work = () => {
    calls += 1;
    return calls <= failures
      ? Promise.reject(new Error(`failure ${calls}`))
      : Promise.resolve("done");
  };
  const options = {
    maxTries: 4,
    isTransient: () => true,
    backoff: { baseMs: 100, capMs: 2_000 },
    sleep: (ms: number) => {
      waits.push(ms);
      return Promise.resolve();
    },
    random: () => 0.999,
  };
  return { work, options, waits, calls: () => calls };
}

Deno.test("retry() answers with the first success, waiting longer after each failure", async () => {
  const { work, options, waits } = setup(3);
  assert.equal(await retry(work, options), "done");
  assert.deepEqual(waits, [100, 200, 400]);
});

Deno.test("retry() gives up after its tries with the last failure", async () => {
  const { work, options, calls } = setup(9);
  await assert.rejects(retry(work, options), /failure 4/);
  assert.equal(calls(), 4);
});

Deno.test("retry() does not repeat what is not transient", async () => {
  const { work, options, calls } = setup(1);
  await assert.rejects(retry(work, { ...options, isTransient: () => false }), /failure 1/);
  assert.equal(calls(), 1);
});
