import { strict as assert } from "node:assert";

import { openInProcessRedis } from "../../local/redis/in_process.ts";
import { serve } from "../../supabase/functions/_shared/http/serve.ts";
import { connectProject } from "../../supabase/functions/_shared/project.ts";
import { createBreakerStore } from "../../supabase/functions/_shared/resilience/breaker_store.ts";
import { createLog } from "../../supabase/functions/_shared/telemetry/log.ts";
import { createHandler } from "../../supabase/functions/admin/admin.ts";
import { serveRest } from "../support/breaker_redis.ts";
import { startTestDataApi } from "../support/data_api.ts";
import { createDatabase } from "../support/database.ts";
import { createTenancy } from "../support/tenancy.ts";

Deno.test("breakers over HTTP on a real database and a Redis", async (t) => {
  await using database = await createDatabase();
  await using api = await startTestDataApi(database);
  const redis = openInProcessRedis();
  await using rest = serveRest(redis);
  const { sql } = database;
  const project = connectProject({
    SUPABASE_URL: api.url,
    SUPABASE_SECRET_KEYS: { default: api.secretKey },
    SUPABASE_PUBLISHABLE_KEYS: { default: api.publishableKey },
    SUPABASE_JWKS: JSON.parse(api.jwks),
  }, api.fetch);
  const now = Date.now;
  const breakers = createBreakerStore({ redis: rest.client(), now, random: Math.random });
  const handler = createHandler({
    ...project,
    randomBytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
    resolve: () => Promise.resolve(["8.8.8.8"]),
    reach: "public",
    statistics: null,
    memory: { maxEntries: 1_000, ttlMs: 900_000 },
    breakers,
  });
  const admin = serve("admin", handler, {
    log: createLog({ write: () => {}, now, fields: {} }),
    now,
  });
  const ask = async (method: string, path: string) => {
    const headers = { apikey: api.secretKey };
    const answer = await admin(new Request(`http://localhost/admin${path}`, { method, headers }));
    return { status: answer.status, body: await answer.json() };
  };
  const audited = async () => {
    const { body } = await ask("GET", "/audit");
    return body.entries.filter((it: { action: string }) => it.action.startsWith("breaker."))
      .map((it: Record<string, unknown>) => [it.action, it.target, it.tenant_id]);
  };
  const { tenantId } = await createTenancy(sql);
  const scope = `tenant:${tenantId}`;
  const pathOf = (name: string, action: string) =>
    `/breakers/${encodeURIComponent(name)}/${action}`;

  await t.step("nothing is listed before anything was sent", async () => {
    assert.deepEqual(await ask("GET", "/breakers"), { status: 200, body: { breakers: [] } });
  });

  await t.step("a tenant is isolated, listed and reset, and each change is audited", async () => {
    assert.equal((await ask("POST", pathOf(scope, "isolate"))).body.state, "isolated");
    const { body } = await ask("GET", "/breakers");
    assert.deepEqual(
      body.breakers.map((it: Record<string, unknown>) => [it.scope, it.state]),
      [[scope, "isolated"]],
    );
    assert.equal((await breakers.admit([scope])).get(scope)?.allowed, false);
    assert.equal((await ask("POST", pathOf(scope, "reset"))).body.state, "closed");
    assert.equal((await breakers.admit([scope])).get(scope)?.allowed, true);
    assert.deepEqual(await audited(), [
      ["breaker.reset", scope, tenantId],
      ["breaker.isolated", scope, tenantId],
    ]);
  });

  await t.step("a breaker that is no tenant's is audited for the platform", async () => {
    await ask("POST", pathOf("app", "isolate"));
    assert.deepEqual((await audited())[0], ["breaker.isolated", "app", null]);
  });

  await t.step("nothing is audited of what was not changed", async () => {
    const before = await audited();
    assert.equal((await ask("POST", pathOf("sender:none", "reset"))).status, 404);
    rest.use(null);
    assert.equal((await ask("POST", pathOf("app", "reset"))).status, 503);
    assert.equal((await ask("GET", "/breakers")).status, 503);
    assert.deepEqual(await audited(), before);
  });

  await t.step("the SQL takes no other change, and is not for signed-in users", async () => {
    const actor = sql.json({ kind: "secret" });
    await assert.rejects(
      sql`select switchyard_api.note_breaker_change('app', 'opened', ${actor})`.execute(),
      /reset or isolated, not opened/,
    );
    for (const role of ["anon", "authenticated"]) {
      const [granted] = await sql`select has_function_privilege(
        ${role}, 'switchyard_api.note_breaker_change(text, text, jsonb)', 'execute') as may`;
      assert.equal(granted?.may, false);
    }
  });
  await redis.stop();
});
