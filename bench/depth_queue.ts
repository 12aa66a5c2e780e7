import { fillBacklog } from "./ground/backlog.ts";
import { familyCpuMs } from "./ground/cpu.ts";
import type { GraphEndpoint } from "./ground/graph_endpoint.ts";
import type { Ground, Sql } from "./ground/ground.ts";
import { startSender } from "./ground/sender.ts";
import { createTenants } from "./ground/tenants.ts";

/** What draining some messages took. */
export interface Drained {
  perSecond: number;
  /** By message. */
  postgresCpuMs: number;
}

/** Pages of 8 kB that one call of each function touched, in memory or not; of a batch of 200. */
export type Blocks = Record<"claim" | "settle" | "tick" | "next_due_at" | "prune", number>;

/** A database with so many messages that are all due, and a wa-sender that has drained some of them. */
export interface DeepQueue extends AsyncDisposable {
  /** Sends at least so many, beginning at about the depth that it was opened with. */
  drain(messages: number): Promise<Drained>;
  readBlocks(): Promise<Blocks>;
}

const WARM_UP = 2_000;
const MAY_LACK = 0.05;

/** Fills it and warms it up; for `await using`. */
export async function openDeepQueue({ ground, graph, shape, depth }: {
  ground: Ground;
  graph: GraphEndpoint;
  shape: { tenants: number; sendersEach: number };
  depth: number;
}): Promise<DeepQueue> {
  const stack = new AsyncDisposableStack();
  const { sql, url: databaseUrl } = stack.use(await ground.createDatabase("migrated"));
  await createTenants(sql, shape);
  await liftSenderLimit(sql);
  const at = new Date(Date.now() - 3_600_000);
  let filled = 0;
  let sent = 0;
  async function fill(): Promise<void> {
    const messages = depth - (filled - sent);
    // What was sent of a deep backlog leaves it as deep; filling it up would cost a minute.
    if (messages < depth * MAY_LACK) return;
    await fillBacklog(sql, { messages, from: filled, at });
    filled += messages;
  }
  await fill();
  const sender = stack.use(await startSender({ databaseUrl, graphUrl: graph.url }));
  async function send(messages: number): Promise<number> {
    const before = sent;
    while (sent < before + messages) {
      const report = await sender.drain();
      if (report.sent === 0) throw new Error(`Nothing sent of ${filled - sent} queued`);
      sent += report.sent;
    }
    return sent - before;
  }
  await send(WARM_UP);
  return {
    async drain(messages) {
      await fill();
      const cpuBefore = await familyCpuMs(ground.postgresPid);
      const startedAt = performance.now();
      const drained = await send(messages);
      const seconds = (performance.now() - startedAt) / 1_000;
      const cpuMs = await familyCpuMs(ground.postgresPid) - cpuBefore;
      return { perSecond: drained / seconds, postgresCpuMs: cpuMs / drained };
    },
    readBlocks: () => readBlocks(sql),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

// One sender's limit of Meta's would be what is measured, not the depth.
async function liftSenderLimit(sql: Sql): Promise<void> {
  await sql`
    alter table switchyard.senders drop constraint throughput_is_1_to_1000_per_second`;
  await sql`update switchyard.senders set throughput_per_second = 100000`;
}

const BATCH = 200;
// After five calls Postgres settles for a plan that knows no arguments: that one is measured.
const CALLS = 7;

async function readBlocks(sql: Sql): Promise<Blocks> {
  const blocks: Partial<Blocks> = {};
  for (let nth = 0; nth < CALLS; nth++) {
    await sql.begin(async (sql) => {
      blocks.claim = await touched(
        sql,
        `
        create temp table claimed on commit drop as
        select * from switchyard_api.claim_messages(${BATCH}, 60, 'bench')`,
      );
      blocks.settle = await touched(
        sql,
        `
        select * from switchyard_api.settle_messages((
          select jsonb_agg(jsonb_build_object(
            'id', id, 'attempt', attempt, 'outcome', 'accepted', 'wamid', 'wamid.' || id))
          from claimed))`,
      );
      blocks.tick = await touched(sql, "select switchyard.tick()");
      blocks.next_due_at = await touched(sql, "select switchyard_api.next_due_at()");
      blocks.prune = await touched(sql, "select switchyard.prune()");
    });
  }
  return blocks as Blocks;
}

interface Plan {
  "Shared Hit Blocks": number;
  "Shared Read Blocks": number;
}

// What the functions in a query touch counts for the query.
async function touched(sql: Pick<Sql, "unsafe">, query: string): Promise<number> {
  const [row] = await sql.unsafe(`explain (analyze, buffers, format json) ${query}`);
  const [{ Plan: plan }] = row!["QUERY PLAN"] as [{ Plan: Plan }];
  return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"];
}
