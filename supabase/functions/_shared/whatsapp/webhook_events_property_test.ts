import { strict as assert } from "node:assert";
import fc from "fast-check";
import { exampleMessage, exampleStatus, exampleValue, toBody } from "./webhook_examples.ts";
import { splitWebhook } from "./webhook_events.ts";
import type { WebhookEvent } from "./webhook_events.ts";

type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

const anyJson = fc.jsonValue() as fc.Arbitrary<Json>;
const text = fc.string({ unit: "binary", maxLength: 12 });

const message = fc.record({ extra: anyJson, type: fc.constantFrom("text", "edit", "hologram") })
  .map((members) => exampleMessage(members));
const status = fc.record({ extra: anyJson, status: fc.constantFrom("sent", "failed", "warped") })
  .map((members) => exampleStatus(members));
const itemsChange = fc.record({
  field: fc.constantFrom("messages", "standby"),
  value: fc.record({
    messages: fc.array(message, { maxLength: 4 }),
    statuses: fc.array(status, { maxLength: 4 }),
    errors: fc.array(anyJson, { maxLength: 2 }),
  }).map(exampleValue),
});
const accountChange = fc.record({
  field: fc.constantFrom("account_update", "history", "holograms"),
  value: anyJson,
});
const entry = fc.record({
  id: fc.oneof(fc.constant("102290129340398"), anyJson),
  time: fc.oneof(fc.constant(1750030073), anyJson),
  changes: fc.array(fc.oneof(itemsChange, accountChange), { maxLength: 3 }),
});
const notification = fc.array(entry, { maxLength: 3 })
  .map((entries) => marked({ object: "whatsapp_business_account", entry: entries } as Json));

/** Gives every item, account value and unknown thing a text of its own, to be found again. */
function marked(body: Json): Json {
  let count = 0;
  const mark = (item: Json): Json =>
    isObject(item) ? { ...item, mark: `mark-${count++}.` } : `mark-${count++}.`;
  const markValue = (value: Json): Json => {
    if (!isObject(value) || !("messaging_product" in value)) return mark(value);
    const lists = Object.entries(value).map(([name, list]): [string, Json] =>
      Array.isArray(list) && name !== "contacts" ? [name, list.map(mark)] : [name, list]
    );
    return Object.fromEntries(lists);
  };
  return replaceMember(body, "value", markValue);
}

function replaceMember(node: Json, name: string, replace: (value: Json) => Json): Json {
  if (Array.isArray(node)) return node.map((item) => replaceMember(item, name, replace));
  if (!isObject(node)) return node;
  const entries = Object.entries(node).map(([key, value]): [string, Json] => [
    key,
    key === name ? replace(value) : replaceMember(value, name, replace),
  ]);
  return Object.fromEntries(entries);
}

function isObject(value: Json): value is { [name: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

type Mutation = { at: number; kind: "replace" | "remove" | "wrap" | "double" | "rename"; by: Json };

const mutation: fc.Arbitrary<Mutation> = fc.record({
  at: fc.nat(),
  kind: fc.constantFrom("replace", "remove", "wrap", "double", "rename"),
  by: anyJson,
});

/** The body with one node changed; the number picks the node. */
function mutate(body: Json, { at, kind, by }: Mutation): Json {
  const copy = structuredClone(body);
  const places: { holder: Json[] | { [name: string]: Json }; key: string }[] = [];
  const visit = (node: Json): void => {
    if (typeof node !== "object" || node === null) return;
    for (const [key, child] of Object.entries(node)) {
      places.push({ holder: node, key });
      visit(child);
    }
  };
  visit(copy);
  if (places.length === 0) return by;
  const { holder, key } = places[at % places.length]!;
  const members = holder as { [name: string]: Json };
  const current = members[key]!;
  if (kind === "replace") members[key] = by;
  if (kind === "wrap") members[key] = at % 2 === 0 ? [current] : { wrapped: current };
  if (kind === "double" && Array.isArray(holder)) holder.push(structuredClone(current));
  if (kind === "remove") {
    Array.isArray(holder) ? holder.splice(Number(key), 1) : delete members[key];
  }
  if (kind === "rename" && !Array.isArray(holder)) {
    delete members[key];
    members[`${key}_renamed`] = current;
  }
  return copy;
}

// Counted without any knowledge of fields: one for each leaf of the tree of entries and changes.
function countItems(body: Json): number {
  const entries = (body as { entry: { changes: { field: string; value: Json }[] }[] }).entry;
  const perChange = (change: { field: string; value: Json }): number => {
    if (!["messages", "standby"].includes(change.field)) return 1;
    const { messages, statuses, errors } = change.value as Record<string, Json[]>;
    return Math.max(1, messages!.length + statuses!.length + errors!.length);
  };
  const perEntry = entries.map(({ changes }) =>
    Math.max(1, changes.reduce((sum, change) => sum + perChange(change), 0))
  );
  return Math.max(1, perEntry.reduce((sum, count) => sum + count, 0));
}

function checkShape(events: readonly WebhookEvent[]): void {
  assert.ok(events.length > 0);
  for (const event of events) {
    assert.match(event.key, /^[0-9a-f]{64}$/);
    assert.equal(typeof event.field, "string");
    assert.equal(event.reason === undefined, event.kind !== "unknown");
    if (event.event_at !== null) {
      assert.equal(new Date(event.event_at).toISOString(), event.event_at);
    }
    // What jsonb refuses.
    assert.doesNotMatch(JSON.stringify(event), /(?<!\\)(\\\\)*\\u(0000|d[89a-f])/);
  }
}

// The same cases in every run.
fc.configureGlobal({ seed: 20261122 });

Deno.test("every well-formed notification yields as many events as it has items", () => {
  fc.assert(fc.property(notification, (body) => {
    const events = splitWebhook(toBody(body));
    checkShape(events);
    assert.equal(events.length, countItems(body));
  }));
});

Deno.test("whatever is broken in a notification, nothing throws and no item is lost", () => {
  const mutated = fc.tuple(notification, fc.array(mutation, { minLength: 1, maxLength: 6 }))
    .map(([body, mutations]) => mutations.reduce(mutate, body));
  fc.assert(
    fc.property(mutated, (body) => {
      const events = splitWebhook(toBody(body));
      checkShape(events);
      const kept = JSON.stringify(events.map(({ payload }) => payload));
      for (const mark of new Set(JSON.stringify(body).match(/mark-\d+\./g))) {
        assert.ok(kept.includes(mark), `${mark} is lost`);
      }
    }),
    { numRuns: 500 },
  );
});

Deno.test("the same body yields the same keys however often it is split", () => {
  fc.assert(fc.property(notification, (body) => {
    const keys = (events: WebhookEvent[]) => events.map(({ key }) => key);
    assert.deepEqual(keys(splitWebhook(toBody(body))), keys(splitWebhook(toBody(body))));
  }));
});

Deno.test("any bytes and any JSON text are split or quarantined", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    checkShape(splitWebhook(Uint8Array.from(bytes)));
  }));
  fc.assert(fc.property(anyJson, text, (body, noise) => {
    checkShape(splitWebhook(toBody(JSON.stringify({ object: noise, entry: body }))));
    checkShape(splitWebhook(toBody(JSON.stringify(body) + noise)));
  }));
});
