import { setTimeout } from "node:timers/promises";

import { contend, given, load } from "./contest.mjs";
import { callGraph, messageOf } from "./graph_call.mjs";

const PgBoss = load("pg-boss");
const QUEUE = "sends";
const { settings } = given;
const boss = new PgBoss({
  connectionString: given.database_url,
  max: settings.pool,
  schedule: false,
  supervise: false,
});
boss.on("error", () => {});

async function enqueue(count) {
  for (let first = 0; first < count; first += 1_000) {
    await boss.insert(
      Array.from({ length: Math.min(1_000, count - first) }, (_, index) => ({
        name: QUEUE,
        data: messageOf(first + index),
      })),
    );
  }
  await boss.getDb().executeSql("analyze", []);
}

const sendJobs = (jobs) => Promise.all(jobs.map(({ data }) => callGraph(given.graph_url, data)));

const countLeft = () => boss.getQueueSize(QUEUE, { before: "completed" });

// As its documentation has it: workers that poll, a batch each.
async function work(count) {
  let sent = 0;
  const options = {
    batchSize: settings.batch,
    pollingIntervalSeconds: settings.pollingIntervalSeconds,
    priority: false,
  };
  const sendBatch = async (jobs) => {
    await sendJobs(jobs);
    sent += jobs.length;
  };
  for (let worker = 0; worker < settings.workers; worker++) {
    await boss.work(QUEUE, options, sendBatch);
  }
  // Completion is written after the handler has returned.
  while (sent < count || await countLeft() > 0) await setTimeout(5);
  await boss.offWork(QUEUE);
}

// What it leaves to whoever wants to be quicker: fetch and complete by hand, without a pause.
async function fetchByHand() {
  const loop = async () => {
    while (true) {
      const jobs = await boss.fetch(QUEUE, { batchSize: settings.batch, priority: false });
      if (jobs.length === 0) return;
      await sendJobs(jobs);
      await boss.complete(QUEUE, jobs.map(({ id }) => id));
    }
  };
  await Promise.all(Array.from({ length: settings.workers }, loop));
}

async function sendAll(count) {
  await (settings.by_hand ? fetchByHand() : work(count));
  const left = await countLeft();
  if (left > 0) throw new Error(`${left} jobs were not completed`);
}

await contend({
  async prepare() {
    await boss.start();
    await boss.createQueue(QUEUE);
    await enqueue(given.warm_up);
    await sendAll(given.warm_up);
    await enqueue(given.messages);
  },
  run: () => sendAll(given.messages),
});
