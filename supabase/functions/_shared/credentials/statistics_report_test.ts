import { strict as assert } from "node:assert";

import { NO_COUNTS } from "./counters.ts";
import type { LayerCounts } from "./counters.ts";
import { createStatisticsReport } from "./statistics_report.ts";

function setup() {
  const counted = { ...NO_COUNTS };
  const added: LayerCounts[] = [];
  const redis = { answer: Promise.resolve() };
  const report = createStatisticsReport({ statistics: () => ({ ...counted }) }, {
    async add(counts) {
      await redis.answer;
      added.push(counts);
    },
  });
  return { counted, added, redis, report };
}

Deno.test("a report adds what was counted since the last one", async () => {
  const { counted, added, report } = setup();
  Object.assign(counted, { l1_hits: 4, db_hits: 1 });
  await report();
  Object.assign(counted, { l1_hits: 6, failures: 1 });
  await report();
  assert.deepEqual(added, [
    { ...NO_COUNTS, l1_hits: 4, db_hits: 1 },
    { ...NO_COUNTS, l1_hits: 2, failures: 1 },
  ]);
});

Deno.test("a report of nothing new calls nobody", async () => {
  const { added, report } = setup();
  await report();
  assert.deepEqual(added, []);
});

Deno.test("what could not be added is part of the next report, and nothing else is", async () => {
  const { counted, added, redis, report } = setup();
  const away = Promise.withResolvers<void>();
  redis.answer = away.promise;
  counted.db_hits = 5;
  const failing = report();
  redis.answer = Promise.resolve();
  counted.db_hits = 7;
  await report();
  away.reject(new Error("no Redis"));
  await failing;
  counted.db_hits = 8;
  await report();
  assert.deepEqual(added.map(({ db_hits }) => db_hits), [2, 6]);
});
