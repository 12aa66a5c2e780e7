import { type Contender, peer, switchyard } from "./ground/contender.ts";

// As their documentation runs them.
const onNode = ["node"];
// With the same fetch as ours, several times cheaper than that of Node 20: this compares the queue alone.
const onDeno = [Deno.execPath(), "run", "-A"];

/** Concurrency 24, the local queue and both batch delays are those of its page on performance. */
const GRAPHILE = { concurrentJobs: 24, maxPoolSize: 25, localQueueSize: 500, pollInterval: 500 };
/** The shortest interval that it allows. */
const POLLING = { pollingIntervalSeconds: 0.5, pool: 10 };

/** All that make the same calls, each with the settings that were quickest here. */
export function sendingContenders(packages: string): Contender[] {
  const graphile = { program: "graphile_worker.mjs", packages };
  const pgBoss = { program: "pg_boss.mjs", packages };
  return [
    switchyard(1),
    peer("graphile_worker", { ...graphile, command: onNode, settings: GRAPHILE }),
    peer("graphile_worker_on_deno", { ...graphile, command: onDeno, settings: GRAPHILE }),
    peer("pg_boss_work", {
      ...pgBoss,
      command: onNode,
      settings: { ...POLLING, workers: 8, batch: 25 },
    }),
    peer("pg_boss_work_in_500s", {
      ...pgBoss,
      command: onDeno,
      settings: { ...POLLING, workers: 4, batch: 500 },
    }),
    peer("pg_boss_by_hand", {
      ...pgBoss,
      command: onDeno,
      settings: { by_hand: true, pool: 10, workers: 2, batch: 200 },
    }),
    peer("bare_loop", {
      program: "bare_loop.mjs",
      command: onDeno,
      settings: { concurrency: 32 },
    }),
    peer("bare_loop_on_node", {
      program: "bare_loop.mjs",
      command: onNode,
      settings: { concurrency: 16 },
    }),
  ];
}
