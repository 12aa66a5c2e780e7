import { strict as assert } from "node:assert";
import { verifyCredentials } from "@supabase/server/core";
import postgresClient from "postgres";

import { startDataApi } from "../../local/data_api/data_api.ts";
import { startPostgres } from "../../local/postgres/postgres.ts";
import { removePostgresFolder } from "../../local/postgres/folder.ts";
import { startTestDataApi, type TestDataApi } from "../support/data_api.ts";
import { type TestDatabase, withDatabase } from "../support/database.ts";
import { eventually } from "../support/eventually.ts";

const FUNCTIONS = `
  create function switchyard_api.echo(a jsonb default null, b bigint default 1) returns jsonb
    language sql security definer set search_path = ''
    as $$ select jsonb_build_object('a', a, 'kind', jsonb_typeof(a), 'b', b) $$;
  create function switchyard_api.who() returns text
    language sql set search_path = '' as $$ select current_user::text $$;
  create function switchyard_api.exact() returns table(id bigint, price numeric, at timestamptz)
    language sql set search_path = ''
    as $$ select 9007199254740993, 1.10, '2026-11-22 04:00:00.5+00'::timestamptz $$;
  create function switchyard_api.fail(code text) returns void
    language plpgsql set search_path = ''
    as $$ begin raise exception 'as asked' using errcode = code; end $$;
  revoke execute on all functions in schema switchyard_api from public;
  grant usage on schema switchyard_api to service_role;
  grant execute on all functions in schema switchyard_api to service_role;`;

async function withFunctions(
  use: (api: TestDataApi, database: TestDatabase) => Promise<void>,
): Promise<void> {
  await withDatabase(async (database) => {
    await database.sql.unsafe(FUNCTIONS);
    await using api = await startTestDataApi(database);
    await use(api, database);
  });
}

async function rpc(api: TestDataApi, name: string, args: unknown = {}, key = api.secretKey) {
  const response = await api.fetch(`${api.url}/rest/v1/rpc/${name}`, {
    method: "POST",
    headers: {
      apikey: key,
      "content-profile": "switchyard_api",
      "content-type": "application/json",
    },
    body: JSON.stringify(args),
  });
  return { status: response.status, text: await response.text() };
}

Deno.test("a jsonb argument arrives as what it was", async () => {
  await withFunctions(async (api) => {
    const seen = JSON.parse((await rpc(api, "echo", { a: { x: [1, "ä"] }, b: 7 })).text);
    assert.deepEqual(seen, { a: { x: [1, "ä"] }, kind: "object", b: 7 });
    assert.equal(JSON.parse((await rpc(api, "echo", { a: [1] })).text).kind, "array");
    assert.equal(JSON.parse((await rpc(api, "echo", {})).text).kind, null);
  });
});

Deno.test("numbers and times are written as PostgREST writes them", async () => {
  await withFunctions(async (api) => {
    const { text } = await rpc(api, "exact");
    assert.equal(text, '[{"id":9007199254740993,"price":1.10,"at":"2026-11-22T04:00:00.5+00:00"}]');
  });
});

Deno.test("a secret key is service_role, a publishable one anon, none nobody", async () => {
  await withFunctions(async (api) => {
    assert.deepEqual(await rpc(api, "who"), { status: 200, text: '"service_role"' });
    assert.equal((await rpc(api, "who", {}, api.publishableKey)).status, 401);
    assert.equal((await rpc(api, "who", {}, "sb_secret_other")).status, 401);
    const keyless = await api.fetch(`${api.url}/rest/v1/rpc/who`, { method: "POST", body: "{}" });
    assert.equal(keyless.status, 401);
  });
});

Deno.test("serving calls grants nothing to anyone", async () => {
  await withFunctions(async (api, { sql }) => {
    await rpc(api, "who");
    const granted = await sql`
      select grantee, table_name from information_schema.role_table_grants
      where table_schema like 'switchyard%' and grantee in ('anon', 'authenticated')`;
    assert.deepEqual([...granted], []);
  });
});

Deno.test("an error of the database keeps its code and gets PostgREST's status", async () => {
  await withFunctions(async (api) => {
    const statuses = {
      P0001: 400,
      "23505": 409,
      "23514": 400,
      "40001": 500,
      "53300": 503,
      "55P03": 500,
      "57014": 500,
      "42501": 403,
    };
    for (const [code, status] of Object.entries(statuses)) {
      const answer = await rpc(api, "fail", { code });
      assert.equal(answer.status, status, code);
      assert.equal(JSON.parse(answer.text).code, code);
      assert.equal(JSON.parse(answer.text).message, "as asked");
    }
    assert.equal((await rpc(api, "unheard_of")).status, 404);
  });
});

Deno.test("a schema that is not exposed is not reachable", async () => {
  await withFunctions(async (api) => {
    const response = await api.fetch(`${api.url}/rest/v1/tenants`, {
      headers: { apikey: api.secretKey, "accept-profile": "switchyard" },
    });
    assert.equal(response.status, 406);
    await response.body?.cancel();
  });
});

Deno.test("a user's token passes @supabase/server with this JWKS and no other", async () => {
  await withFunctions(async (api) => {
    const { userId, accessToken } = await api.signUp("someone@example.com");
    const verify = (jwks: string) =>
      verifyCredentials({ token: accessToken, apikey: null }, {
        auth: "user",
        env: { url: api.url, publishableKeys: {}, secretKeys: {}, jwks: JSON.parse(jwks) },
      });
    assert.equal((await verify(api.jwks)).data?.userClaims?.id, userId);
    const { keys: [key] } = JSON.parse(api.jwks);
    const other = JSON.stringify({ keys: [{ ...key, k: key.k.replace(/^./, "x") }] });
    assert.match(String((await verify(other)).error), /signature/);
  });
});

Deno.test("a token of a sign-in is accepted by Auth itself", async () => {
  await withFunctions(async (api) => {
    const { userId, accessToken } = await api.signUp("someone@example.com");
    const { data: { user } } = await api.client(api.publishableKey).auth.getUser(accessToken);
    assert.equal(user?.id, userId);
  });
});

Deno.test("a new function is known after notify pgrst", async () => {
  await withFunctions(async (api, { sql }) => {
    assert.equal((await rpc(api, "late")).status, 404);
    await sql.unsafe(`
      create function switchyard_api.late() returns int language sql as 'select 1';
      notify pgrst, 'reload schema'`);
    const answer = await eventually(() => rpc(api, "late"), ({ status }) => status === 200);
    assert.equal(answer.text, "1");
  });
});

Deno.test("while Postgres is away calls are answered 503, and work again when it is back", async () => {
  const dir = await Deno.makeTempDir({ prefix: "switchyard-test-" });
  await Deno.chmod(dir, 0o755);
  const log = () => {};
  const call = (api: { fetch(request: Request): Promise<Response> }) =>
    api.fetch(
      new Request("http://supabase.test/rest/v1/rpc/one", {
        method: "POST",
        headers: {
          apikey: "sb_secret_test",
          "content-profile": "switchyard_api",
          "content-type": "application/json",
        },
        body: "{}",
      }),
    );
  let postgres = await startPostgres({ dir, port: 0, log });
  const { port, url } = postgres;
  await prepare(url);
  const api = await startDataApi({
    databaseUrl: url,
    publishableKey: "sb_publishable_test",
    secretKey: "sb_secret_test",
    jwtSecret: "a secret for tests, longer than thirty-two bytes",
  });
  try {
    assert.equal((await call(api)).status, 200);
    await postgres.stop();
    const refused = await call(api);
    assert.equal(refused.status, 503);
    assert.equal((await refused.json()).code, "PGRST001");
    postgres = await startPostgres({ dir, port, log });
    assert.equal((await call(api)).status, 200);
  } finally {
    await api.stop();
    await postgres.stop();
    await removePostgresFolder(dir);
    await Deno.remove(dir, { recursive: true });
  }
});

async function prepare(databaseUrl: string): Promise<void> {
  const sql = postgresClient(databaseUrl, { max: 1 });
  await sql.unsafe(`
    create schema switchyard_api;
    grant usage on schema switchyard_api to service_role;
    create function switchyard_api.one() returns int language sql as 'select 1'`);
  await sql.end();
}
