import { strict as assert } from "node:assert";

import { withDatabase } from "../support/database.ts";
import { eventually } from "../support/eventually.ts";

// Where a hosted project differs from these, a migration would work here and fail there.

Deno.test("pg_cron schedules by name once, and lets the job be altered and removed", async () => {
  await withDatabase(async ({ sql }) => {
    const [first] = await sql`select cron.schedule('nightly', '5 4 * * *', 'select 1') as id`;
    const [again] = await sql`select cron.schedule('nightly', '30 seconds', 'select 2') as id`;
    assert.equal(first?.id, again?.id);
    await sql`select cron.alter_job(${first?.id}::bigint, schedule := '* * * * *', active := false)`;
    const [job] = await sql`
      select schedule, command, active, username, database = current_database() as here
      from cron.job where jobname = 'nightly'`;
    assert.deepEqual({ ...job }, {
      schedule: "* * * * *",
      command: "select 2",
      active: false,
      username: "postgres",
      here: true,
    });
    await sql`select cron.unschedule('nightly')`;
    await assert.rejects(sql`select cron.unschedule('nightly')`, /could not find valid entry/);
  });
});

Deno.test("pg_cron takes its own forms of schedule and refuses others", async () => {
  await withDatabase(async ({ sql }) => {
    for (
      const schedule of ["* * * * *", "*/5 0-3 1,15 * mon-fri", "1 second", "59 seconds", "@hourly"]
    ) {
      await sql`select cron.schedule(${schedule}, 'select 1')`;
    }
    for (const schedule of ["", "60 seconds", "0 seconds", "* * * *", "1 minute", "every day"]) {
      await assert.rejects(sql`select cron.schedule(${schedule}, 'select 1')`, /invalid schedule/);
    }
  });
});

Deno.test("pg_cron's jobs are changed by its functions alone", async () => {
  await withDatabase(async ({ sql }) => {
    await sql`select cron.schedule('mine', '* * * * *', 'select 1')`;
    await assert.rejects(sql`update cron.job set command = 'select 2'`, /permission denied/);
    await assert.rejects(sql`delete from cron.job`, /permission denied/);
    await sql`delete from cron.job_run_details where end_time < now()`;
  });
});

Deno.test("pg_net queues a request and wakes its worker when the transaction commits", async () => {
  await withDatabase(async ({ sql, connect }) => {
    let isWoken = false;
    await connect().listen("pg_net_wake", () => isWoken = true);
    await sql.begin(async (sql) => {
      await sql`select net.http_post(
        'http://127.0.0.1:1/a', body := '{"b": 1}', params := '{"q": "ä&=", "n": "1"}',
        headers := '{"apikey": "k"}')`;
    });
    await eventually(() => Promise.resolve(isWoken));
    const [request] = await sql`
      select method, url, headers, convert_from(body, 'UTF8') as body, timeout_milliseconds
      from net.http_request_queue`;
    assert.deepEqual({ ...request }, {
      method: "POST",
      url: "http://127.0.0.1:1/a?n=1&q=%C3%A4%26%3D",
      headers: { apikey: "k", "Content-Type": "application/json" },
      body: '{"b": 1}',
      timeout_milliseconds: 5000,
    });
  });
});

Deno.test("pg_net sends nothing that was rolled back and nothing but JSON", async () => {
  await withDatabase(async ({ sql }) => {
    await sql.begin(async (sql) => {
      await sql`select net.http_get('http://127.0.0.1:1/')`;
      throw new Error("undone");
    }).catch(() => {});
    assert.equal((await sql`select from net.http_request_queue`).length, 0);
    await assert.rejects(
      sql`select net.http_post('http://127.0.0.1:1/', headers := '{"content-type": "text/plain"}')`,
      /Content-Type header must be "application\/json"/,
    );
  });
});

Deno.test("pg_net says when nothing delivers its requests", async () => {
  await withDatabase(async ({ sql }) => {
    await sql`set application_name = 'somebody'`;
    await assert.rejects(sql`select net.check_worker_is_up()`, /worker is not up/);
  });
});

Deno.test("Vault gives back what it was given, by unique name", async () => {
  await withDatabase(async ({ sql }) => {
    const [made] = await sql`select vault.create_secret('s3cret ä', 'token', 'of a sender') as id`;
    await sql`select vault.update_secret(${made?.id}, 'changed')`;
    const [secret] = await sql`
      select name, description, decrypted_secret, secret <> decrypted_secret as differs
      from vault.decrypted_secrets where id = ${made?.id}`;
    assert.deepEqual({ ...secret }, {
      name: "token",
      description: "of a sender",
      decrypted_secret: "changed",
      differs: true,
    });
    await assert.rejects(sql`select vault.create_secret('other', 'token')`, /duplicate key/);
  });
});

Deno.test("Vault's secrets are written by its functions alone and closed to users", async () => {
  await withDatabase(async ({ sql }) => {
    const insert = sql`insert into vault.secrets (secret) values ('x')`;
    await assert.rejects(insert, /permission denied/);
    await sql.begin(async (sql) => {
      await sql`set local role authenticated`;
      await sql`select from vault.decrypted_secrets`;
    }).then(() => assert.fail("read by a user"), (error) => assert.match(String(error), /denied/));
  });
});

Deno.test("the roles have the hosted limits and memberships", async () => {
  await withDatabase(async ({ sql }) => {
    const rows = await sql`
      select rolname, rolsuper, rolbypassrls, rolcanlogin, array_to_string(rolconfig, ',') as config
      from pg_roles where rolname in ('anon', 'authenticated', 'service_role', 'authenticator')
      order by rolname`;
    const seen = rows.map((r) => [r.rolname, r.rolsuper, r.rolbypassrls, r.rolcanlogin, r.config]);
    assert.deepEqual(seen, [
      ["anon", false, false, false, "statement_timeout=3s"],
      ["authenticated", false, false, false, "statement_timeout=8s"],
      [
        "authenticator",
        false,
        false,
        true,
        "statement_timeout=8s,lock_timeout=8s,pgrst.db_schemas=switchyard_api",
      ],
      ["service_role", false, true, false, null],
    ]);
  });
});

Deno.test("new tables and functions in public are not exposed to anyone", async () => {
  await withDatabase(async ({ sql }) => {
    await sql`create table public.probe (id int)`;
    const [row] = await sql`
      select has_table_privilege('anon', 'public.probe', 'select') as anon,
        has_table_privilege('service_role', 'public.probe', 'select') as service`;
    assert.deepEqual({ ...row }, { anon: false, service: false });
  });
});
