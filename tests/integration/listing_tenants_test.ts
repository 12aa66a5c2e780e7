import { strict as assert } from "node:assert";

import { withDatabase } from "../support/database.ts";

Deno.test("list_tenants pages by slug and searches slugs and names, whatever their case", async () => {
  await withDatabase(async ({ sql }) => {
    await sql`
      insert into switchyard.tenants (slug, name)
      values ('beta', 'Blumen 100%'), ('acme', 'Acme'), ('zeta', 'Beta Two')`;
    const slugs = async (search: string | null, after: string | null, limit: number) =>
      (await sql`select slug from switchyard_api.list_tenants(${search}, ${after}, ${limit})`)
        .map(({ slug }) => slug);
    assert.deepEqual(await slugs(null, null, 2), ["acme", "beta"]);
    assert.deepEqual(await slugs(null, "beta", 2), ["zeta"]);
    assert.deepEqual(await slugs("BETA", null, 9), ["beta", "zeta"]);
    assert.deepEqual(await slugs("100%", null, 9), ["beta"]);
    assert.deepEqual(await slugs("_", null, 9), []);
  });
});
