import { fileURLToPath } from "node:url";

import { cpuMs, familyCpuMs } from "./cpu.ts";
import type { Ground } from "./ground.ts";
import type { GraphEndpoint } from "./graph_endpoint.ts";
import { startProgram } from "./program.ts";
import { startSender } from "./sender.ts";
import { createTenants, enqueue } from "./tenants.ts";

/** One way to make the same calls; all have sent `warmUp` messages before they are timed. */
export interface Contender {
  name: string;
  contend(contest: Contest): Promise<Score>;
}

export interface Contest {
  ground: Ground;
  graph: GraphEndpoint;
  messages: number;
  warmUp: number;
}

/** What one run of a contender cost, by message. */
export interface Score {
  perSecond: number;
  /** CPU of the process that makes the calls. */
  cpuMs: number;
  postgresCpuMs: number;
  graphCpuMs: number;
  dataApiCpuMs?: number;
  redisCpuMs?: number;
  /** CPU while it warmed up, which is what a new isolate's messages cost. */
  coldCpuMs?: number;
}

/** wa-sender, with so many drains under way at once. */
export function switchyard(drains: number): Contender {
  return {
    name: "switchyard",
    async contend({ ground, graph, messages, warmUp }) {
      await using database = await ground.createDatabase("migrated");
      const { url: databaseUrl, sql } = database;
      const tenants = await createTenants(sql, { tenants: 20, sendersEach: 5 });
      await using sender = await startSender({ databaseUrl, graphUrl: graph.url });
      const at = new Date(Date.now() - 600_000);
      async function sendAll(count: number): Promise<void> {
        let sent = 0;
        await Promise.all(Array.from({ length: drains }, async () => {
          while (sent < count) {
            const report = await sender.drain();
            sent += report.sent;
            if (report.claimed === 0 && sent < count) await new Promise((go) => setTimeout(go, 1));
          }
        }));
      }
      await enqueue(sql, tenants, { messages: warmUp, from: 0, at, lane: "normal" });
      await sql`analyze`;
      const coldAt = await cpuMs(sender.pid);
      await sendAll(warmUp);
      const coldCpuMs = (await cpuMs(sender.pid) - coldAt) / warmUp;
      await enqueue(sql, tenants, { messages, from: warmUp, at, lane: "normal" });
      await sql`analyze`;

      const pids = { own: sender.pid, dataApi: sender.dataApiPid, redis: sender.redisPid };
      return {
        ...await time({ ground, graph, messages, pids }, () => sendAll(messages)),
        coldCpuMs,
      };
    },
  };
}

/** A program of peers/, told what it needs in one variable. */
export function peer(
  name: string,
  options: { command: string[]; program: string; packages?: string; settings: object },
): Contender {
  const program = fileURLToPath(new URL(`../peers/${options.program}`, import.meta.url));
  const [command, ...args] = options.command;
  return {
    name,
    async contend({ ground, graph, messages, warmUp }) {
      await using database = await ground.createDatabase("empty");
      const { settings, packages } = options;
      const contest = { packages, settings, messages, warm_up: warmUp, graph_url: graph.url };
      await using running = startProgram({
        command: command!,
        args: [...args, program],
        env: { CONTEST: JSON.stringify({ ...contest, database_url: database.url }) },
      });
      await running.line();
      return await time({ ground, graph, messages, pids: { own: running.pid } }, async () => {
        await running.tell("go");
        await running.line();
      });
    },
  };
}

async function time(
  { ground, graph, messages, pids }: {
    ground: Ground;
    graph: GraphEndpoint;
    messages: number;
    pids: { own: number; dataApi?: number; redis?: number };
  },
  run: () => Promise<void>,
): Promise<Score> {
  await graph.forget();
  const read = async () => ({
    own: await cpuMs(pids.own),
    postgres: await familyCpuMs(ground.postgresPid),
    graph: await cpuMs(graph.pid),
    dataApi: pids.dataApi === undefined ? 0 : await cpuMs(pids.dataApi),
    redis: pids.redis === undefined ? 0 : await familyCpuMs(pids.redis),
  });
  const before = await read();
  const startedAt = performance.now();
  await run();
  const seconds = (performance.now() - startedAt) / 1_000;
  const after = await read();
  const { calls } = await graph.seen();
  if (calls !== messages) throw new Error(`${calls} calls for ${messages} messages`);
  return {
    perSecond: messages / seconds,
    cpuMs: (after.own - before.own) / messages,
    postgresCpuMs: (after.postgres - before.postgres) / messages,
    graphCpuMs: (after.graph - before.graph) / messages,
    ...pids.dataApi !== undefined && { dataApiCpuMs: (after.dataApi - before.dataApi) / messages },
    ...pids.redis !== undefined && { redisCpuMs: (after.redis - before.redis) / messages },
  };
}
