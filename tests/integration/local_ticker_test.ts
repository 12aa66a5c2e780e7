import { strict as assert } from "node:assert";

import { startTicker } from "../../local/ticker/ticker.ts";
import { CronTicker, failInterruptedRuns } from "../../local/ticker/cron.ts";
import { createNetDelivery } from "../../local/ticker/net.ts";
import { runJob } from "../../local/ticker/run.ts";
import { type TestDatabase, withDatabase } from "../support/database.ts";
import { eventually } from "../support/eventually.ts";

const quiet = () => {};

/** A database whose only jobs are the test's own. */
async function withEmptySchedule(test: (database: TestDatabase) => Promise<void>): Promise<void> {
  await withDatabase(async (database) => {
    await database.sql`select cron.unschedule(jobid) from cron.job`;
    await database.sql`create table public.seen (note text, role text default current_user)`;
    await test(database);
  });
}

interface Cron {
  /** Moves the clock on and looks. */
  tickAt(seconds: number): Promise<void>;
  idle(): Promise<void>;
}

function cronOf({ sql, url }: TestDatabase): Cron {
  let now = Date.parse("2026-11-22T10:00:00Z");
  const startedAt = now;
  const ticker = new CronTicker({ sql, databaseUrl: url, now: () => now, log: quiet });
  return {
    async tickAt(seconds) {
      now = startedAt + seconds * 1_000;
      await ticker.tick();
    },
    idle: () => ticker.idle(),
  };
}

async function runsOf({ sql }: TestDatabase): Promise<{ status: string; message: string }[]> {
  return [
    ...await sql<{ status: string; message: string }[]>`
      select status, return_message as message from cron.job_run_details order by runid`,
  ];
}

Deno.test("the ticker runs a due job and records the run", async () => {
  await withEmptySchedule(async (database) => {
    await database.sql`
      select cron.schedule('note', '5 seconds', $$insert into public.seen values ('one')$$)`;
    const cron = cronOf(database);
    await cron.tickAt(0);
    await cron.tickAt(4);
    assert.deepEqual(await runsOf(database), []);
    await cron.tickAt(5);
    await cron.idle();
    assert.deepEqual(await runsOf(database), [{ status: "succeeded", message: "INSERT 1" }]);
    assert.equal((await database.sql`select from public.seen`).length, 1);
  });
});

Deno.test("a job's statements run as its user, outside a transaction of the ticker's", async () => {
  await withEmptySchedule(async ({ sql, url }) => {
    await sql`grant insert on public.seen to service_role`;
    const command = `insert into public.seen values ('one');
      commit;
      insert into public.seen values ('two');
      select 1`;
    const job = { jobid: "1", schedule: "", command, database: "", username: "service_role" };
    const run = runJob({ ...job, database: new URL(url).pathname.slice(1) }, url);
    assert.deepEqual(await run.outcome, { status: "succeeded", message: "1 row" });
    const seen = await sql`select note, role from public.seen order by note`;
    assert.deepEqual([...seen], [
      { note: "one", role: "service_role" },
      { note: "two", role: "service_role" },
    ]);
  });
});

Deno.test("a failing job is recorded with Postgres's message and runs again", async () => {
  await withEmptySchedule(async (database) => {
    await database.sql`select cron.schedule('bad', '5 seconds', 'select 1/0')`;
    const cron = cronOf(database);
    for (const seconds of [0, 5, 10]) {
      await cron.tickAt(seconds);
      await cron.idle();
    }
    const failed = { status: "failed", message: "ERROR:  division by zero" };
    assert.deepEqual(await runsOf(database), [failed, failed]);
  });
});

Deno.test("a job that takes long is not started a second time", async () => {
  await withEmptySchedule(async (database) => {
    const holder = database.connect();
    await holder`select pg_advisory_lock(7)`;
    await database.sql`
      select cron.schedule('slow', '5 seconds', 'select pg_advisory_xact_lock(7)')`;
    const cron = cronOf(database);
    for (const seconds of [0, 5, 10, 15, 20]) await cron.tickAt(seconds);
    assert.deepEqual((await runsOf(database)).map(({ status }) => status), ["running"]);
    await holder`select pg_advisory_unlock(7)`;
    await cron.idle();
    await cron.tickAt(21); // the one run that waited
    await cron.idle();
    await cron.tickAt(22);
    await cron.idle();
    assert.equal((await runsOf(database)).length, 2);
  });
});

Deno.test("a job that was unscheduled or set inactive no longer runs", async () => {
  await withEmptySchedule(async (database) => {
    await database.sql`select cron.schedule('a', '5 seconds', 'select 1')`;
    await database.sql`select cron.schedule('b', '5 seconds', 'select 1')`;
    const cron = cronOf(database);
    await cron.tickAt(0);
    await database.sql`select cron.unschedule('a')`;
    await database.sql`select cron.alter_job(jobid, active := false) from cron.job`;
    await cron.tickAt(5);
    await cron.idle();
    assert.deepEqual(await runsOf(database), []);
  });
});

Deno.test("runs that a killed ticker left behind are marked failed", async () => {
  await withEmptySchedule(async (database) => {
    await database.sql`insert into cron.job_run_details (jobid, status) values (1, 'running')`;
    await failInterruptedRuns(database.sql);
    const interrupted = { status: "failed", message: "server restarted" };
    assert.deepEqual(await runsOf(database), [interrupted]);
  });
});

/** Queues one request and returns its id. */
async function post({ sql }: TestDatabase, url: string, timeoutMs = 5_000): Promise<number> {
  const [row] = await sql<{ id: number }[]>`
    select net.http_post(url := ${url}, body := '{"a": "ü"}',
      headers := '{"apikey": "k"}', timeout_milliseconds := ${timeoutMs}) as id`;
  return Number(row?.id);
}

async function answersOf({ sql }: TestDatabase) {
  return await sql`
    select id::int, status_code, content, timed_out, error_msg from net._http_response order by id`;
}

Deno.test("the net queue is sent once, with its body and headers, and the answer is kept", async () => {
  await withDatabase(async (database) => {
    const sent: Request[] = [];
    const net = createNetDelivery({
      sql: database.sql,
      fetch: (input, init) => {
        sent.push(new Request(input, init));
        return Promise.resolve(Response.json({ ok: true }, { status: 202 }));
      },
      log: quiet,
    });
    const id = await post(database, "http://api.test/functions/v1/wa-sender?x=1");
    await Promise.all([net.deliver(), net.deliver()]);
    await net.idle();
    const [request] = sent;
    assert.equal(sent.length, 1);
    assert.equal(request?.url, "http://api.test/functions/v1/wa-sender?x=1");
    assert.equal(request?.headers.get("apikey"), "k");
    assert.equal(request?.headers.get("content-type"), "application/json");
    assert.deepEqual(await request?.json(), { a: "ü" });
    assert.deepEqual([...await answersOf(database)], [
      { id, status_code: 202, content: `{"ok":true}`, timed_out: false, error_msg: null },
    ]);
    assert.equal((await database.sql`select from net.http_request_queue`).length, 0);
  });
});

Deno.test("a request whose transaction rolled back is not sent", async () => {
  await withDatabase(async (database) => {
    let sent = 0;
    const net = createNetDelivery({
      sql: database.sql,
      fetch: () => Promise.resolve(new Response(String(sent++))),
      log: quiet,
    });
    await assert.rejects(database.sql.begin(async (sql) => {
      await sql`select net.http_post('http://api.test/')`;
      throw new Error("rolled back");
    }));
    await net.deliver();
    await net.idle();
    assert.equal(sent, 0);
  });
});

Deno.test("a refused connection and a timeout are answers, not retried", async () => {
  await withDatabase(async (database) => {
    const { sql } = database;
    const late = Promise.withResolvers<Response>();
    const hang = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: quiet },
      () => late.promise,
    );
    const closed = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    closed.close();
    const net = createNetDelivery({ sql, fetch, log: quiet });
    await post(database, `http://127.0.0.1:${hang.addr.port}/`, 20);
    await post(database, `http://127.0.0.1:${closed.addr.port}/`);
    await net.deliver();
    await net.idle();
    const [timedOut, refused] = await answersOf(database);
    assert.deepEqual([timedOut?.timed_out, timedOut?.error_msg], [
      true,
      "Timeout of 20 ms reached",
    ]);
    assert.equal(refused?.timed_out, false);
    assert.match(refused?.error_msg, /refused/i);
    assert.equal((await sql`select from net.http_request_queue`).length, 0);
    late.resolve(new Response());
    await hang.shutdown();
  });
});

Deno.test("a slow endpoint does not hold up a request to another", async () => {
  await withDatabase(async (database) => {
    const slow = Promise.withResolvers<Response>();
    const net = createNetDelivery({
      sql: database.sql,
      fetch: (input) =>
        String(input).includes("slow") ? slow.promise : Promise.resolve(new Response("quick")),
      log: quiet,
    });
    await post(database, "http://slow.test/");
    await net.deliver();
    await post(database, "http://quick.test/");
    await net.deliver();
    await eventually(() => answersOf(database), (answers) => answers[0]?.content === "quick");
    slow.resolve(new Response("slow"));
    await net.idle();
    assert.equal((await answersOf(database)).length, 2);
  });
});

Deno.test("what stopping cut short stays queued", async () => {
  await withDatabase(async (database) => {
    const net = createNetDelivery({
      sql: database.sql,
      fetch: (_input, init) =>
        new Promise((_, reject) =>
          init?.signal?.addEventListener("abort", () => reject(new Error("aborted")))
        ),
      log: quiet,
    });
    await post(database, "http://api.test/");
    await net.deliver();
    await net.stop();
    assert.equal((await database.sql`select from net.http_request_queue`).length, 1);
    assert.equal((await answersOf(database)).length, 0);
  });
});

Deno.test("answers older than six hours are deleted", async () => {
  await withDatabase(async ({ sql }) => {
    const net = createNetDelivery({ sql, fetch, log: quiet });
    await sql`insert into net._http_response (id, created) values
      (1, now() - interval '7 hours'), (2, now() - interval '5 hours')`;
    await net.prune();
    const kept = await sql`select id::int from net._http_response`;
    assert.deepEqual(kept.map(({ id }) => id), [2]);
  });
});

Deno.test("a commit wakes the ticker, also after it lost its connections", async () => {
  await withEmptySchedule(async (database) => {
    const ticker = await startTicker({
      databaseUrl: database.url,
      log: quiet,
      fetch: () => Promise.resolve(new Response("rung")),
    });
    try {
      await post(database, "http://api.test/");
      await eventually(() => answersOf(database), (answers) => answers.length === 1);
      await database.sql`
        select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and application_name ~ '^pg_(cron|net)'`;
      await post(database, "http://api.test/");
      await eventually(() => answersOf(database), (answers) => answers.length === 2);
      const listeners = () =>
        database.sql`
          select from pg_stat_activity
          where datname = current_database() and query ~* '^listen "?pg_net_wake'`;
      await eventually(listeners, (found) => found.length === 1);
    } finally {
      await ticker.stop();
    }
  });
});
