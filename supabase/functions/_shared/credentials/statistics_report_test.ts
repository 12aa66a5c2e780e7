import { strict as assert } from "node:assert";

import type { Credentials } from "./credentials.ts";
import { createStatisticsReport } from "./statistics_report.ts";
import type { CredentialCounters } from "./statistics_store.ts";

function setup() {
  const counted = {
    total_requests: 0,
    cache_hits: 0,
    db_hits: 0,
    fallback_hits: 0,
    failures: 0,
    size: 0,
  };
  const added: CredentialCounters[] = [];
  const state = { isDown: false };
  const credentials: Credentials = {
    find: () => Promise.resolve([]),
    forget: () => {},
    statistics: () => ({ ...counted }),
  };
  const report = createStatisticsReport(credentials, {
    add: (counters) => {
      if (state.isDown) return Promise.reject(new Error("no Redis"));
      added.push(counters);
      return Promise.resolve();
    },
    read: () => Promise.reject(new Error("not asked for")),
    clear: () => Promise.resolve(),
    ping: () => Promise.resolve(),
  });
  return { counted, added, state, report };
}

Deno.test("a report adds what was counted since the last one", async () => {
  const { counted, added, report } = setup();
  Object.assign(counted, { total_requests: 5, cache_hits: 4, db_hits: 1 });
  await report();
  Object.assign(counted, { total_requests: 7, cache_hits: 6 });
  await report();
  assert.deepEqual(added.map(({ total_requests, cache_hits }) => [total_requests, cache_hits]), [[
    5,
    4,
  ], [2, 2]]);
});

Deno.test("a report of nothing new calls nobody", async () => {
  const { added, report } = setup();
  await report();
  assert.deepEqual(added, []);
});

Deno.test("what could not be added is part of the next report", async () => {
  const { counted, added, state, report } = setup();
  Object.assign(counted, { total_requests: 5, db_hits: 5 });
  state.isDown = true;
  await report();
  state.isDown = false;
  Object.assign(counted, { total_requests: 6, db_hits: 6 });
  await report();
  assert.deepEqual(added.map(({ total_requests }) => total_requests), [6]);
});
