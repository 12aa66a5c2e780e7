import { strict as assert } from "node:assert";

import { createHolds } from "./holds.ts";

function setup(fail?: Error) {
  const calls: [senderIds: string[], forMs: number][] = [];
  const holds = createHolds({
    queue: {
      hold: (senderIds, forMs) => {
        calls.push([senderIds, forMs]);
        return fail ? Promise.reject(fail) : Promise.resolve();
      },
    },
    now: () => 1_000,
  });
  return { holds, calls };
}

Deno.test("a hold is written before anybody asks for it", async () => {
  const { holds, calls } = setup();
  holds.note("s1", 5_000);
  await Promise.resolve();
  await Promise.resolve();
  assert.deepEqual(calls, [[["s1"], 4_000]]);
});

Deno.test("holds that become known together are one call for each moment", async () => {
  const { holds, calls } = setup();
  for (const [id, untilMs] of [["s1", 5_000], ["s2", 5_000], ["s3", 9_000]] as const) {
    holds.note(id, untilMs);
  }
  await holds.written();
  assert.deepEqual(calls, [[["s1", "s2"], 4_000], [["s3"], 8_000]]);
});

Deno.test("a hold that is known is not written again, a longer one is", async () => {
  const { holds, calls } = setup();
  holds.note("s1", 5_000);
  await holds.written();
  holds.note("s1", 5_000);
  holds.note("s1", 4_000);
  await holds.written();
  assert.equal(calls.length, 1);
  holds.note("s1", 6_000);
  await holds.written();
  assert.deepEqual(calls[1], [["s1"], 5_000]);
});

Deno.test("who asks whether holds are written hears that one could not be", async () => {
  const { holds } = setup(new Error("away"));
  holds.note("s1", 5_000);
  await assert.rejects(holds.written(), /away/);
});
