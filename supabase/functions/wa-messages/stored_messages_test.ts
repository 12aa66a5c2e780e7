import { strict as assert } from "node:assert";
import { problemOf } from "../_shared/test_problem.ts";
import { createTestMessages, messageId, tenantId } from "./test_messages.ts";

Deno.test("GET of a message answers what the database tells of it", async () => {
  const stored = { id: messageId, status: "sent", wamid: "w", attempts: [], timeline: [] };
  const { ask, calls } = createTestMessages({ rpc: { get_message: () => stored } });
  const response = await ask("GET", `/${messageId}`);
  assert.deepEqual(await response.json(), stored);
  assert.deepEqual(calls[0]?.args, { tenant_id: tenantId, message_id: messageId });
});

Deno.test("GET of another tenant's or no message answers 404", async () => {
  const { ask, calls } = createTestMessages({ rpc: { get_message: () => null } });
  assert.equal((await problemOf(await ask("GET", `/${messageId}`))).code, "not_found");
  assert.equal((await problemOf(await ask("GET", "/no-uuid"))).code, "not_found");
  assert.equal(calls.length, 1);
});

Deno.test("GET lists with filter, cursor and limit; a plus sign may arrive as a space", async () => {
  const { ask, calls } = createTestMessages({
    rpc: { list_messages: () => ({ messages: [], next_cursor: null }) },
  });
  const response = await ask("GET", "?status=sent&to=+4915112345678&cursor=12&limit=10");
  assert.deepEqual(await response.json(), { messages: [], next_cursor: null });
  await ask("GET", "");
  assert.deepEqual(calls.map(({ args }) => args), [
    {
      tenant_id: tenantId,
      filter: { status: "sent", to: "+4915112345678" },
      cursor: "12",
      page_limit: 10,
    },
    { tenant_id: tenantId, filter: { status: null, to: null }, cursor: null, page_limit: 50 },
  ]);
});

Deno.test("GET lists what went to a user id", async () => {
  const { ask, calls } = createTestMessages({
    rpc: { list_messages: () => ({ messages: [], next_cursor: null }) },
  });
  assert.equal((await ask("GET", "?to=DE.13491208655302741918")).status, 200);
  assert.deepEqual(calls[0]?.args.filter, { status: null, to: "DE.13491208655302741918" });
});

for (
  const [query, pointer] of [
    ["status=lost", "/status"],
    ["to=nobody", "/to"],
    ["cursor=x", "/cursor"],
    ["limit=0", "/limit"],
    ["limit=201", "/limit"],
    ["limit=ten", "/limit"],
  ]
) {
  Deno.test(`GET with ${query} answers 400`, async () => {
    const found = await problemOf(await createTestMessages().ask("GET", `?${query}`));
    assert.deepEqual(found, { status: 400, code: "malformed_request", pointers: [pointer] });
  });
}

Deno.test("DELETE of a queued message answers 200", async () => {
  const { ask } = createTestMessages({
    rpc: { cancel_message: () => ({ outcome: "cancelled", status: "cancelled" }) },
  });
  const response = await ask("DELETE", `/${messageId}`);
  assert.equal(response.status, 200);
  assert.deepEqual(await response.json(), { id: messageId, status: "cancelled" });
});

Deno.test("DELETE of a message that left the queue answers 409 and where it is", async () => {
  const { ask } = createTestMessages({
    rpc: { cancel_message: () => ({ outcome: "not_queued", status: "sent" }) },
  });
  const response = await ask("DELETE", `/${messageId}`);
  assert.equal(response.status, 409);
  const { code, message_status } = await response.json();
  assert.deepEqual([code, message_status], ["not_queued", "sent"]);
});

Deno.test("DELETE of no message answers 404", async () => {
  const { ask } = createTestMessages({ rpc: { cancel_message: () => ({ outcome: "not_found" }) } });
  assert.equal((await problemOf(await ask("DELETE", `/${messageId}`))).status, 404);
});
