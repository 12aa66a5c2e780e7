import { strict as assert } from "node:assert";

import { withDatabase } from "../support/database.ts";
import { createTenancy } from "../support/tenancy.ts";

interface Page {
  tenants: Record<string, unknown>[];
  next_cursor: string | null;
}

Deno.test("list_tenants pages by slug and searches slugs and names, whatever their case", async () => {
  await withDatabase(async ({ sql }) => {
    await sql`
      insert into switchyard.tenants (slug, name)
      values ('beta', 'Blumen 100%'), ('acme', 'Acme'), ('zeta', 'Beta Two')`;
    const page = async (search: string | null, after: string | null, limit: number) => {
      const [row] = await sql<{ page: Page }[]>`
        select switchyard_api.list_tenants(${search}, ${after}, ${limit}) as page`;
      const { tenants, next_cursor } = row!.page;
      return [tenants.map(({ slug }) => slug), next_cursor];
    };
    assert.deepEqual(await page(null, null, 2), [["acme", "beta"], "beta"]);
    assert.deepEqual(await page(null, "beta", 2), [["zeta"], null]);
    assert.deepEqual(await page(null, null, 3), [["acme", "beta", "zeta"], null]);
    assert.deepEqual(await page("BETA", null, 1), [["beta"], "beta"]);
    assert.deepEqual(await page("BETA", null, 9), [["beta", "zeta"], null]);
    assert.deepEqual(await page("100%", null, 9), [["beta"], null]);
    assert.deepEqual(await page("_", null, 9), [[], null]);
  });
});

Deno.test("a tenant is told with its limit and its senders, in a list as alone", async () => {
  await withDatabase(async ({ sql }) => {
    const { tenantId } = await createTenancy(sql);
    const [row] = await sql`
      select switchyard_api.list_tenants(null, null, 9) -> 'tenants' as listed,
        switchyard_api.read_tenant(${tenantId}) as tenant,
        switchyard_api.read_tenant(gen_random_uuid()) as nobody`;
    const { created_at, slug, ...rest } = row!.tenant;
    assert.deepEqual(row!.listed, [row!.tenant]);
    assert.deepEqual(rest, {
      id: tenantId,
      name: "A tenant",
      status: "active",
      limit: { messages: 80, window_seconds: 60 },
      senders: 1,
    });
    assert.ok(Date.parse(created_at) > 0 && slug.startsWith("tenant-"));
    assert.equal(row!.nobody, null);
  });
});
