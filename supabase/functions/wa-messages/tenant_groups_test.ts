import { strict as assert } from "node:assert";
import type { Acceptance, Submission } from "./acceptance.ts";
import { createTenantGroups } from "./tenant_groups.ts";

const submission: Submission = {
  from: "1",
  to: "+4915112345678",
  type: "text",
  content: {},
  fingerprint: "",
  field_digests: {},
};
const accepted: Acceptance = { outcome: "accepted", id: "m", planned_send_at: "", held: null };

Deno.test("a tenant never waits for the call of another", async () => {
  const calls: { tenantId: string; count: number }[] = [];
  const submit = createTenantGroups((tenantId, submissions) => {
    calls.push({ tenantId, count: submissions.length });
    const answers = submissions.map(() => accepted);
    return tenantId === "slow" ? new Promise(() => {}) : Promise.resolve(answers);
  });
  void submit("slow", submission, 1);
  void submit("slow", submission, 1);
  assert.deepEqual(await submit("quick", submission, 1), accepted);
  assert.deepEqual(calls, [{ tenantId: "slow", count: 1 }, { tenantId: "quick", count: 1 }]);
});

Deno.test("large messages make small batches", async () => {
  const counts: number[] = [];
  let release = () => {};
  const gate = new Promise<void>((resolve) => release = resolve);
  const submit = createTenantGroups(async (_tenantId, submissions) => {
    counts.push(submissions.length);
    if (counts.length === 1) await gate;
    return submissions.map(() => accepted);
  });
  const asking = Array.from({ length: 41 }, () => submit("t", submission, 256 * 1_024));
  release();
  await Promise.all(asking);
  assert.deepEqual(counts, [1, 15, 15, 10]);
});
