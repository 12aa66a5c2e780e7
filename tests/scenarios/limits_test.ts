import { strict as assert } from "node:assert";

import { eventually } from "../support/eventually.ts";
import { aPhoneNumber, connectPlatform, type Tenant } from "../support/platform.ts";

const platform = connectPlatform();

/** The most calls in any window of this length. */
function mostInAnyWindow(moments: number[], windowMs: number): number {
  const sorted = moments.toSorted((a, b) => a - b);
  return Math.max(
    ...sorted.map((from) => sorted.filter((at) => at >= from && at < from + windowMs).length),
  );
}

async function postBatch(tenant: Tenant, count: number): Promise<void> {
  const messages = Array.from({ length: count }, () => ({
    from: tenant.phoneNumberId,
    to: aPhoneNumber(),
    type: "text",
    text: { body: "Hello" },
  }));
  const answer = await tenant.api("/wa-messages/batch", { body: { messages } });
  assert.equal(answer.status, 202, answer.text);
}

Deno.test("a tenant never sends more than its limit in any window, and all of it in the end", async () => {
  const windowMs = 3_000;
  const tenant = await platform.createTenant({ limit: { messages: 10, window_seconds: 3 } });
  await postBatch(tenant, 30);
  const calls = await platform.simulator.received(
    { phone_number_id: tenant.phoneNumberId },
    { waitFor: 30, timeoutMs: 30_000 },
  );
  assert.equal(calls.length, 30);
  // A call is received a little after it was admitted, and not always by the same little.
  assert.ok(mostInAnyWindow(calls.map(({ at }) => at), windowMs) <= 11);
});

Deno.test("while one tenant is at its limit another one's message goes at once", async () => {
  const [limited, free] = [
    await platform.createTenant({ limit: { messages: 5, window_seconds: 60 } }),
    await platform.createTenant(),
  ];
  await postBatch(limited, 200);
  await platform.simulator.received({ phone_number_id: limited.phoneNumberId }, { waitFor: 5 });
  const { id } = (await free.send()).json<{ id: string }>();
  const [call] = await platform.simulator.received(
    { phone_number_id: free.phoneNumberId },
    { waitFor: 1 },
  );
  const message = (await free.api(`/wa-messages/${id}`)).json<{ planned_send_at: string }>();
  assert.ok(call!.at - Date.parse(message.planned_send_at) < 2_000);
});

Deno.test("what a limit holds back says so", async () => {
  const tenant = await platform.createTenant({ limit: { messages: 1, window_seconds: 60 } });
  await postBatch(tenant, 3);
  const list = await eventually(
    async () => (await tenant.api("/wa-messages")).json<{ messages: { id: string }[] }>().messages,
    (messages) => messages.length === 3,
  );
  const read = () =>
    Promise.all(
      list.map(async ({ id }) =>
        (await tenant.api(`/wa-messages/${id}`)).json<{ waiting_for?: string }>().waiting_for
      ),
    );
  await eventually(read, (told) => told.filter((it) => it === "limit:tenant").length === 2);
});

Deno.test("a recipient gets a burst and then one message every six seconds, before Meta complains", async () => {
  const tenant = await platform.createTenant();
  const to = aPhoneNumber();
  // More than a slow machine earns back while the burst lasts.
  const messages = Array.from({ length: 60 }, (_, i) => ({
    from: tenant.phoneNumberId,
    to,
    type: "text",
    text: { body: `Part ${i}` },
  }));
  await tenant.api("/wa-messages/batch", { body: { messages } });
  const filter = { phone_number_id: tenant.phoneNumberId };
  const burst = await platform.simulator.received(filter, { waitFor: 45, timeoutMs: 30_000 });
  assert.ok(burst.every(({ outcome }) => outcome === "accepted"));
  const { messages: waiting } = (await tenant.api("/wa-messages?status=queued"))
    .json<{ messages: unknown[] }>();
  assert.ok(waiting.length >= 3);
});
