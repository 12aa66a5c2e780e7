import { strict as assert } from "node:assert";

import { serve } from "../../supabase/functions/_shared/http/serve.ts";
import { connectProject } from "../../supabase/functions/_shared/project.ts";
import { createLog } from "../../supabase/functions/_shared/telemetry/log.ts";
import { createHandler } from "../../supabase/functions/admin/admin.ts";
import { startTestDataApi } from "../support/data_api.ts";
import { createDatabase } from "../support/database.ts";
import { letDie } from "../support/dead_letters.ts";
import { createTenancy } from "../support/tenancy.ts";

Deno.test("dead letters over HTTP on a real database", async (t) => {
  await using database = await createDatabase();
  await using api = await startTestDataApi(database);
  const { sql } = database;
  const project = connectProject({
    SUPABASE_URL: api.url,
    SUPABASE_SECRET_KEYS: { default: api.secretKey },
    SUPABASE_PUBLISHABLE_KEYS: { default: api.publishableKey },
    SUPABASE_JWKS: JSON.parse(api.jwks),
  }, api.fetch);
  const now = Date.now;
  const log = createLog({ write: () => {}, now, fields: {} });
  const randomBytes = (length: number) => crypto.getRandomValues(new Uint8Array(length));
  const handler = createHandler({
    ...project,
    randomBytes,
    resolve: () => Promise.resolve(["8.8.8.8"]),
    reach: "public",
    statistics: null,
    memory: { maxEntries: 1_000, ttlMs: 900_000 },
    breakers: null,
  });
  const admin = serve("admin", handler, { log, now });
  const ask = async (method: string, path: string, body?: unknown, tenantId?: string) => {
    const answer = await admin(
      new Request(`http://localhost/admin${path}`, {
        method,
        headers: {
          apikey: api.secretKey,
          ...(tenantId === undefined ? {} : { "x-tenant-id": tenantId }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
    );
    assert.equal(answer.status, 200);
    return await answer.json();
  };
  const [ours, theirs] = [await createTenancy(sql), await createTenancy(sql)];
  const died = await letDie(sql, ours, ["template_not_found", "template_policy"], new Date(now()));
  await letDie(sql, theirs, ["template_not_found"], new Date(now()));

  await t.step("they are listed for all tenants, or for the one named", async () => {
    const all = await ask("GET", "/dead-letters");
    assert.equal(all.dead_letters.length, 3);
    assert.deepEqual(
      all.causes.map(({ cause, count }: { cause: string; count: number }) => [cause, count]),
      [["template_not_found", 2], ["template_policy", 1]],
    );
    const page = await ask("GET", "/dead-letters?limit=1", undefined, ours.tenantId);
    assert.equal(page.dead_letters[0].message_id, died[1]);
    const next = `/dead-letters?limit=1&cursor=${page.next_cursor}`;
    const last = await ask("GET", next, undefined, ours.tenantId);
    assert.deepEqual([last.dead_letters[0].message_id, last.next_cursor], [died[0], null]);
  });

  await t.step("a dry run tells what a redrive then does", async () => {
    const filter = { cause: "template_not_found" };
    const told = await ask("POST", "/dead-letters/redrive", { filter, dry_run: true, rate: 0.5 });
    assert.deepEqual([told.dry_run, told.messages, told.held_back], [true, 2, {}]);
    const own = { filter, dry_run: false, rate: 0.5 };
    const done = await ask("POST", "/dead-letters/redrive", own, ours.tenantId);
    assert.deepEqual([done.dry_run, done.messages, done.left], [false, 1, 0]);
    const rest = await ask("GET", "/dead-letters");
    assert.equal(rest.dead_letters.length, 2);
    const again = await ask("POST", "/dead-letters/redrive", own, ours.tenantId);
    assert.equal(again.messages, 0);
  });

  await t.step("the audit log of the tenant has it", async () => {
    const { entries } = await ask("GET", "/audit", undefined, ours.tenantId);
    const redrives = entries.filter(({ action }: { action: string }) =>
      action === "dead_letters.redriven"
    );
    assert.equal(redrives.length, 1);
    assert.equal(redrives[0].actor.kind, "secret");
  });
});
