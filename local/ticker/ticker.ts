import postgres from "postgres";

import { CronTicker, failInterruptedRuns } from "./cron.ts";
import { createNetDelivery } from "./net.ts";

export interface Ticker {
  /** Ends what runs and sends; what is queued stays queued. */
  stop(): Promise<void>;
}

const TICK_MS = 250;
const PRUNE_EVERY_TICKS = 240;

/**
 * Does what pg_cron's and pg_net's background workers do on a hosted project, for a database that
 * has the stand-in extensions. Goes on by itself when Postgres was away.
 */
export async function startTicker(options: {
  databaseUrl: string;
  log: (line: string) => void;
  now?: () => number;
  fetch?: typeof fetch;
}): Promise<Ticker> {
  const { databaseUrl, log } = options;
  const now = options.now ?? Date.now;
  // The names that a hosted project's workers have in pg_stat_activity.
  const cronSql = connect(databaseUrl, "pg_cron scheduler");
  const netSql = connect(databaseUrl, "pg_net 0.20.3 worker");
  const cron = new CronTicker({ sql: cronSql.sql, databaseUrl, now, log });
  const net = createNetDelivery({ sql: netSql.sql, fetch: options.fetch ?? fetch, log });
  const wake = () => void net.deliver().catch(() => {}); // the next tick tries again

  await failInterruptedRuns(cronSql.sql);
  const loop = startLoop(log, async (ticks) => {
    await netSql.listen("pg_net_wake", wake);
    await Promise.all([cron.tick(), net.deliver()]);
    if (ticks % PRUNE_EVERY_TICKS === 0) await net.prune();
  });
  return {
    async stop() {
      await loop.stop();
      await Promise.all([cron.stop(), net.stop()]);
      await Promise.all([cronSql.sql.end({ timeout: 1 }), netSql.sql.end({ timeout: 1 })]);
    },
  };
}

/**
 * A connection pool that knows when it lost the server: the library listens again by itself, but
 * only once, which fails while Postgres restarts.
 */
function connect(url: string, name: string) {
  let listening: { unlisten(): Promise<void> } | undefined;
  let isStale = false;
  const sql = postgres(url, {
    max: 4,
    max_lifetime: null,
    // In seconds. Left to itself it waits ever longer, up to 20 s, also for a server that is back.
    backoff: () => TICK_MS / 1_000,
    onnotice: () => {},
    onclose: () => (isStale = true),
    connection: { application_name: name },
  });
  return {
    sql,
    /** Listens if it does not already. */
    async listen(channel: string, onNotify: () => void): Promise<void> {
      if (listening && !isStale) return;
      await sql`select 1`;
      isStale = false;
      await listening?.unlisten().catch(() => {});
      listening = undefined;
      listening = await sql.listen(channel, onNotify);
    },
  };
}

/** Repeats until stopped; an outage is told once when it begins and once when it ends. */
function startLoop(log: (line: string) => void, step: (ticks: number) => Promise<void>) {
  let isStopped = false;
  let isAway = false;
  let next: () => void = () => {};
  const pause = () =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, TICK_MS);
      next = () => (clearTimeout(timer), resolve());
    });

  async function run(): Promise<void> {
    for (let ticks = 1; !isStopped; ticks++) {
      try {
        await step(ticks);
        if (isAway) log("warning: the ticker reaches Postgres again");
        isAway = false;
      } catch (error) {
        if (!isAway && !isStopped) log(`warning: the ticker waits for Postgres: ${error}`);
        isAway = true;
      }
      if (!isStopped) await pause();
    }
  }

  const running = run();
  return {
    async stop() {
      isStopped = true;
      next();
      await running;
    },
  };
}
