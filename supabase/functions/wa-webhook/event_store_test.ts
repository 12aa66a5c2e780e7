import { strict as assert } from "node:assert";
import { DatabaseError } from "../_shared/database.ts";
import type { CallRpc } from "../_shared/database.ts";
import type { Fields, Log } from "../_shared/telemetry/log.ts";
import type { WebhookEvent } from "../_shared/whatsapp/webhook_events.ts";
import { splitWebhook } from "../_shared/whatsapp/webhook_events.ts";
import {
  exampleNotification,
  exampleStatus,
  exampleValue,
  toBody,
} from "../_shared/whatsapp/webhook_examples.ts";
import { createEventStore } from "./event_store.ts";

type Store = (events: WebhookEvent[]) => Promise<void> | void;

function setup(storeEvents: Store) {
  const lines: [event: string, fields: Fields | undefined][] = [];
  const note = (event: string, fields?: Fields) => void lines.push([event, fields]);
  const log: Log = { info: note, warn: note, error: note, with: () => log };
  const calls: WebhookEvent[][] = [];
  const call = (async (_name: string, args: { events: WebhookEvent[] }) => {
    calls.push(args.events);
    await storeEvents(args.events);
    const quarantined = args.events.filter(({ kind }) => kind === "unknown").length;
    return [{ stored: args.events.length, duplicates: 0, quarantined }];
  }) as unknown as CallRpc;
  return { store: createEventStore({ call, log, now: () => 0 }), calls, lines };
}

function events(...ids: string[]): WebhookEvent[] {
  const statuses = ids.map((id) => exampleStatus({ id }));
  return splitWebhook(toBody(exampleNotification(exampleValue({ statuses }))));
}

function numbered(count: number): WebhookEvent[] {
  return events(...Array.from({ length: count }, (_, index) => `wamid.${index}`));
}

function idsOf(call: WebhookEvent[]): string[] {
  return call.map(({ payload }) => (payload.status as { id: string }).id);
}

function databaseError(code: string, unavailable = false): DatabaseError {
  return new DatabaseError("Cannot store_events: refused", { code, unavailable });
}

Deno.test("bodies that arrive during a store share the next one", async () => {
  const { store, calls, lines } = setup(() => {});
  const answers = ["a", "b", "c"].map((id) => store(events(id), 600));
  assert.deepEqual(await Promise.all(answers), ["stored", "stored", "stored"]);
  assert.deepEqual(calls.map(idsOf), [["a"], ["b", "c"]]);
  assert.deepEqual(lines.map(([event, fields]) => [event, fields?.requests, fields?.stored]), [
    ["events.stored", 1, 1],
    ["events.stored", 2, 2],
  ]);
});

Deno.test("a body is never divided, and a batch holds 2,000 events unless one body is larger", async () => {
  const { store, calls } = setup(() => {});
  const sizes = [1, 1_000, 1_000, 1, 2_500, 1];
  await Promise.all(sizes.map((size) => store(numbered(size), 0)));
  assert.deepEqual(calls.map((call) => call.length), [1, 1_000, 1_001, 2_500, 1]);
});

Deno.test("128 events that wait are stored beside what is in flight, and fewer are not", async () => {
  const release = Promise.withResolvers<void>();
  const { store, calls } = setup(() => release.promise);
  const answers = [1, 127, 1, 200].map((size) => store(numbered(size), 0));
  assert.deepEqual(calls.map((call) => call.length), [1, 128]);
  release.resolve();
  await Promise.all(answers);
  assert.deepEqual(calls.map((call) => call.length), [1, 128, 200]);
});

Deno.test("a body of few events weighs by its size", async () => {
  const { store, calls } = setup(() => {});
  await Promise.all([
    store(events("a"), 0),
    ...["b", "c"].map((id) => store(events(id), 1_500_000)),
  ]);
  assert.deepEqual(calls.map(idsOf), [["a"], ["b"], ["c"]]);
});

Deno.test("what does not fit behind the stores in flight is refused as overloaded", async () => {
  const { store, calls } = setup(() => {});
  const large = 3 * 1024 * 1024;
  const answers = await Promise.all(Array.from({ length: 14 }, () => store(events("a"), large)));
  assert.deepEqual(answers.filter((answer) => answer === "stored").length, 12);
  assert.deepEqual(answers.slice(12), ["overloaded", "overloaded"]);
  assert.equal(calls.length, 12);
});

Deno.test("what is quarantined is warned of, once a store", async () => {
  const { store, lines } = setup(() => {});
  const unknown = splitWebhook(toBody(exampleNotification({}, { field: "holograms" })));
  await store([...unknown, ...events("a")], 600);
  await store(events("b"), 600);
  assert.deepEqual(lines.slice(1), [
    ["events.quarantined", { events: 1 }],
    ["events.stored", { requests: 1, stored: 1, duplicates: 0, quarantined: 0, duration_ms: 0 }],
  ]);
});

Deno.test("a database that does not answer fails the bodies of that store alone", async () => {
  let down = true;
  const { store, lines } = setup(() => {
    if (down) throw databaseError("", true);
  });
  assert.equal(await store(events("a"), 600), "failed");
  assert.deepEqual(lines.map(([event]) => event), ["events.not_stored"]);
  down = false;
  assert.equal(await store(events("a"), 600), "stored");
});

Deno.test("an unexpected fault is a failure, not a success", async () => {
  const { store } = setup(() => {
    throw new TypeError("broken");
  });
  assert.equal(await store(events("a"), 600), "failed");
});

Deno.test("a body that the database refuses does not fail those that were stored with it", async () => {
  const { store } = setup((batch) => {
    if (idsOf(batch).includes("poison")) throw databaseError("22P05");
  });
  const ids = ["first", "a", "b", "poison", "c", "d"];
  const answers = await Promise.all(ids.map((id) => store(events(id), 600)));
  assert.deepEqual(answers, ["stored", "stored", "stored", "failed", "stored", "stored"]);
});

Deno.test("a fault that is not about content is not tried again in parts", async () => {
  const { store, calls } = setup(() => {
    throw databaseError("PGRST202");
  });
  await Promise.all(["first", "a", "b", "c"].map((id) => store(events(id), 600)));
  assert.equal(calls.length, 2);
});
