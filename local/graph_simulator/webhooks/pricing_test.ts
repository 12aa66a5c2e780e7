import { strict as assert } from "node:assert";
import { createTestSimulator, type Item, NUMBER } from "../test_simulator.ts";

const DAY_MS = 86_400_000;

const typesOf = (statuses: Item[], status: string) =>
  statuses.filter((one) => one.status === status)
    .map(({ pricing }) => (pricing as Item | undefined)?.type);
const template = { type: "template", template: { name: "hello", language: { code: "en" } } };

Deno.test("a number's free service messages of a month are counted by delivery", async () => {
  const { json, send, advance, statuses } = createTestSimulator();
  await json("PATCH", "/_control/settings", { pricing: { free_service_messages: 2 } });
  await json("POST", "/_control/rules", {
    match: { to: "+15550200009" },
    then: { statuses: ["sent", { status: "failed", code: 131026 }] },
  });
  await send({ to: "+15550200009" });
  await advance(1_000);
  for (let count = 0; count < 3; count++) {
    await send();
    await advance(1_000);
  }
  const free = "free_customer_service";
  assert.deepEqual(typesOf(statuses(), "delivered"), [free, free, "regular"]);
});

Deno.test("the allowance begins anew with the calendar month", async () => {
  const { json, send, advance, statuses } = createTestSimulator();
  await json("PATCH", "/_control/settings", { pricing: { free_service_messages: 1 } });
  for (const pauseMs of [1_000, 10 * DAY_MS, 1_000]) {
    await send();
    await advance(pauseMs);
  }
  const free = "free_customer_service";
  assert.deepEqual(typesOf(statuses(), "delivered"), [free, "regular", free]);
});

Deno.test("a utility template is charged, also inside the window", async () => {
  const { send, advance, statuses } = createTestSimulator();
  await send(template);
  await advance(1_000);
  const [sent] = statuses();
  assert.deepEqual(sent?.pricing, {
    billable: true,
    pricing_model: "PMP",
    type: "regular",
    category: "utility",
  });
});

Deno.test("Direct Send is charged in the category that it names", async () => {
  const { send, advance, statuses } = createTestSimulator();
  await send({ category: "authentication" });
  await advance(30);
  assert.equal((statuses()[0]?.pricing as Item).category, "authentication");
});

Deno.test("a category that drifted is told by the status", async () => {
  const { json, send, advance, statuses } = createTestSimulator();
  await json("POST", "/_control/rules", { then: { pricing: { category: "marketing" } } });
  await send(template);
  await advance(1_000);
  assert.equal((statuses()[0]?.pricing as Item).category, "marketing");
});

Deno.test("the price can be told by read instead of delivered", async () => {
  const { json, send, advance, statuses } = createTestSimulator();
  await json("POST", "/_control/rules", { then: { pricing: { on: ["sent", "read"] } } });
  await send();
  await advance(1_000);
  assert.deepEqual(statuses().map(({ pricing }) => pricing !== undefined), [true, false, true]);
});

Deno.test("an answer within a day of an advertisement makes 72 hours free", async () => {
  const { json, send, advance, statuses } = createTestSimulator();
  await json("POST", "/_control/inbound", {
    from: "15550200001",
    phone_number_id: NUMBER,
    type: "text",
    text: { body: "Saw your ad" },
    referral: { source_type: "ad", source_id: "1" },
  });
  await send();
  await advance(1_000);
  await send(template);
  await advance(DAY_MS);
  await send(template);
  await advance(2 * DAY_MS);
  await send(template);
  await advance(1_000);
  assert.deepEqual(typesOf(statuses(), "delivered"), [
    "free_entry_point",
    "free_entry_point",
    "free_entry_point",
    "regular",
  ]);
  const told = statuses().filter(({ status }) => status === "sent")
    .map(({ conversation }) => conversation as Item | undefined);
  assert.deepEqual(told[0]!.origin, { type: "referral_conversion" });
  const ends = told.map((conversation) => Number(conversation?.expiration_timestamp));
  assert.deepEqual(ends.slice(0, 3).map((end) => end - ends[0]!), [0, 0, 0]);
  assert.equal(ends[0]! - Number(statuses()[0]!.timestamp), 3 * DAY_MS / 1_000);
  assert.equal(told[3], undefined);
});

Deno.test("an answer later than a day after the advertisement opens nothing", async () => {
  const { json, send, advance, statuses } = createTestSimulator();
  await json("POST", "/_control/inbound", {
    from: "15550200001",
    phone_number_id: NUMBER,
    type: "text",
    text: { body: "Saw your ad" },
    referral: { source_type: "ad" },
  });
  await advance(DAY_MS);
  await send(template);
  await advance(1_000);
  assert.deepEqual(typesOf(statuses(), "delivered"), ["regular"]);
});
