import { strict as assert } from "node:assert";

import { repository } from "../../tools/functions.ts";
import { withDatabase } from "../support/database.ts";
import { createTenancy } from "../support/tenancy.ts";

const PAGES = ["README.md", "docs/operations.md", "docs/conversations.md", "docs/payments.md"];

async function statementsOf(page: string): Promise<string[]> {
  const markdown = await Deno.readTextFile(repository + page);
  return [...markdown.matchAll(/^```sql\n([\s\S]*?)^```/gm)].map(([, sql]) => sql!);
}

Deno.test("every SQL that the documents tell a person to run, runs", async () => {
  const statements = (await Promise.all(PAGES.map(statementsOf))).flat();
  assert(statements.length > 10, `only ${statements.length} were found`);
  await withDatabase(async ({ sql }) => {
    const { tenantId, phoneNumberId } = await createTenancy(sql);
    for (const statement of statements) {
      const filled = statement
        .replaceAll("<tenant id>", tenantId)
        .replaceAll("conversation_id = '…'", `conversation_id = '${tenantId}'`)
        .replaceAll('"100000000000001"', `"${phoneNumberId}"`);
      await sql.unsafe(filled).simple().catch((error) =>
        assert.fail(`${statement}\n${error.message}`)
      );
    }
  });
});
