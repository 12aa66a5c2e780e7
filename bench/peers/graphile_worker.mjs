// Settings as its page on performance has them: https://worker.graphile.org/docs/performance (2026-11)
import { contend, given, load } from "./contest.mjs";
import { callGraph, messageOf } from "./graph_call.mjs";

const { Logger, makeWorkerUtils, run } = load("graphile-worker");
const { Pool } = load("pg");

const { settings } = given;
const pool = new Pool({ connectionString: given.database_url, max: settings.maxPoolSize });
pool.on("error", () => {});
const logger = new Logger(() => () => {});

async function enqueue(count) {
  const client = await makeWorkerUtils({ pgPool: pool, logger });
  await client.migrate();
  for (let first = 0; first < count; first += 1_000) {
    const jobs = Array.from({ length: Math.min(1_000, count - first) }, (_, index) => ({
      identifier: "send",
      payload: messageOf(first + index),
    }));
    await client.addJobs(jobs);
  }
  await pool.query("analyze");
}

async function sendAll(count) {
  const done = deferred();
  let sent = 0;
  const runner = await run({
    pgPool: pool,
    preset: {
      worker: {
        concurrentJobs: settings.concurrentJobs,
        maxPoolSize: settings.maxPoolSize,
        localQueue: { size: settings.localQueueSize },
        completeJobBatchDelay: 0,
        failJobBatchDelay: 0,
        pollInterval: settings.pollInterval,
      },
    },
    logger,
    noHandleSignals: true,
    taskList: {
      async send(message) {
        await callGraph(given.graph_url, message);
        if (++sent === count) done.resolve();
      },
    },
  });
  await done.promise;
  // Only then are the last completions written.
  await runner.stop();
  const { rows: [left] } = await pool.query(
    "select count(*)::integer as jobs from graphile_worker._private_jobs",
  );
  if (left.jobs > 0) throw new Error(`${left.jobs} jobs were not completed`);
}

// Node 20 has no Promise.withResolvers().
function deferred() {
  let resolve;
  const promise = new Promise((fulfil) => resolve = fulfil);
  return { promise, resolve };
}

await contend({
  async prepare() {
    await enqueue(given.warm_up);
    await sendAll(given.warm_up);
    await enqueue(given.messages);
  },
  run: () => sendAll(given.messages),
});
