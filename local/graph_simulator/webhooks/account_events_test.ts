import { strict as assert } from "node:assert";
import { changesOf, createTestSimulator, type Item, NOON, NUMBER } from "../test_simulator.ts";
import { sampledFields } from "./account_events.ts";

async function publish(event: Item) {
  const simulator = createTestSimulator();
  assert.equal((await simulator.request("POST", "/_control/events", event)).status, 200);
  await simulator.advance(10);
  const [change] = changesOf(simulator.webhooks);
  const [entry] = JSON.parse(simulator.webhooks[0]?.text ?? "{}").entry;
  assert.ok(change);
  return { change, entry };
}

Deno.test("an account event has the time of its entry and no metadata", async () => {
  const { change, entry } = await publish({
    field: "message_template_status_update",
    value: { event: "PAUSED", reason: "FIRST_PAUSE" },
  });
  assert.equal(entry.id, "200000000000001");
  assert.equal(entry.time, NOON / 1_000);
  assert.equal(change.field, "message_template_status_update");
  assert.equal(change.value.metadata, undefined);
  assert.equal(change.value.event, "PAUSED");
  assert.equal(change.value.message_template_name, "order_update");
});

Deno.test("errors of a number come under messages, with metadata and nothing else", async () => {
  const { change } = await publish({ field: "errors", value: { code: 131031 } });
  assert.equal(change.field, "messages");
  assert.deepEqual(Object.keys(change.value), ["messaging_product", "metadata", "errors"]);
  assert.equal((change.value.errors as Item[])[0]?.code, 131031);
});

Deno.test("a field without a sample goes out as it was given", async () => {
  const { change } = await publish({ field: "flows", value: { event: "FLOW_STATUS_CHANGE" } });
  assert.deepEqual(change, { field: "flows", value: { event: "FLOW_STATUS_CHANGE" } });
});

for (const field of sampledFields) {
  Deno.test(`the event ${field} can be published with its sample`, async () => {
    const { change } = await publish({ field, phone_number_id: NUMBER });
    assert.ok(Object.keys(change.value).length > 0);
  });
}
