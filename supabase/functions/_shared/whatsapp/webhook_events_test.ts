import { strict as assert } from "node:assert";
import {
  BUSINESS_ACCOUNT_ID,
  exampleMessage,
  exampleNotification,
  exampleStatus,
  exampleValue,
  PHONE_NUMBER_ID,
  toBody,
} from "./webhook_examples.ts";
import { splitWebhook } from "./webhook_events.ts";
import type { WebhookEvent } from "./webhook_events.ts";
import { ACCOUNT_FIELDS } from "./webhook_fields.ts";
import type { JsonObject } from "./webhook_json.ts";

function split(body: unknown): WebhookEvent[] {
  return splitWebhook(toBody(body));
}

function splitOne(body: unknown): WebhookEvent {
  const events = split(body);
  assert.equal(events.length, 1);
  return events[0]!;
}

function splitMessage(overrides: JsonObject = {}): WebhookEvent {
  return splitOne(exampleNotification(exampleValue({ messages: [exampleMessage(overrides)] })));
}

function splitStatus(overrides: JsonObject = {}): WebhookEvent {
  return splitOne(exampleNotification(exampleValue({ statuses: [exampleStatus(overrides)] })));
}

Deno.test("a message becomes one event with its metadata and contact", () => {
  const event = splitMessage();
  assert.match(event.key, /^[0-9a-f]{64}$/);
  assert.deepEqual(event, {
    key: event.key,
    kind: "message",
    business_account_id: BUSINESS_ACCOUNT_ID,
    phone_number_id: PHONE_NUMBER_ID,
    field: "messages",
    event_at: "2025-06-08T20:59:43.000Z",
    payload: {
      metadata: { display_phone_number: "15550783881", phone_number_id: PHONE_NUMBER_ID },
      contact: { profile: { name: "Sheena Nelson" }, wa_id: "16505551234" },
      message: exampleMessage(),
    },
  });
});

Deno.test("a status becomes one event that carries price and callback data", () => {
  const event = splitStatus();
  assert.equal(event.kind, "status");
  assert.equal(event.event_at, "2025-06-15T23:27:53.000Z");
  assert.deepEqual(event.payload.status, exampleStatus());
});

Deno.test("every entry, change, message, status and error of a body is an event, in order", () => {
  const errors = [{ code: 130429, title: "Rate limit hit" }];
  const events = split({
    object: "whatsapp_business_account",
    entry: [
      {
        id: "1",
        changes: [
          {
            field: "messages",
            value: exampleValue({
              messages: [exampleMessage({ id: "wamid.A" }), exampleMessage({ id: "wamid.B" })],
              statuses: [exampleStatus({ id: "wamid.C" })],
            }),
          },
          { field: "messages", value: exampleValue({ errors }) },
        ],
      },
      {
        id: "2",
        time: 1750030073,
        changes: [
          { field: "account_update", value: { event: "PARTNER_ADDED" } },
          { field: "messages", value: exampleValue({ statuses: [exampleStatus()] }) },
        ],
      },
    ],
  });
  assert.deepEqual(
    events.map(({ kind, business_account_id }) => `${business_account_id} ${kind}`),
    ["1 message", "1 message", "1 status", "1 account", "2 account", "2 status"],
  );
  assert.equal(new Set(events.map(({ key }) => key)).size, 6);
});

Deno.test("the same item has the same key in whatever body it comes", () => {
  const alone = splitMessage().key;
  const [, together] = split(exampleNotification(
    exampleValue({
      messages: [exampleMessage({ id: "wamid.other" }), exampleMessage()],
      contacts: [],
    }),
    { time: 1750030073 },
  ));
  assert.equal(together!.key, alone);
});

const sameKey: [title: string, changed: JsonObject][] = [
  ["repeated with its members in another order", {}],
  ["whose conversation expires at another time", {
    conversation: { id: "x", expiration_timestamp: "1" },
  }],
  ["without the deprecated billable flag", {
    pricing: { category: "utility", type: "regular", pricing_model: "PMP" },
  }],
];

for (const [title, changed] of sameKey) {
  Deno.test(`a status ${title} is the same event`, () => {
    const shuffled = Object.fromEntries(
      Object.entries({ ...exampleStatus(), ...changed }).reverse(),
    );
    const again = splitOne(exampleNotification(exampleValue({ statuses: [shuffled] })));
    assert.equal(again.key, splitStatus().key);
  });
}

const otherKey: [title: string, event: WebhookEvent][] = [
  ["a status that says read", splitStatus({ status: "read" })],
  ["a status that contradicts", splitStatus({ status: "failed", errors: [{ code: 131026 }] })],
  ["a status at another time", splitStatus({ timestamp: "1750030074" })],
  ["a status of another participant", splitStatus({ recipient_participant_id: "1555" })],
  ["a status that brings another price", splitStatus({ pricing: { category: "marketing" } })],
  ["a status without a price", splitStatus({ pricing: undefined })],
  ["a status of another message", splitStatus({ id: "wamid.other" })],
  [
    "a status for another number",
    splitOne(exampleNotification(exampleValue({
      metadata: { phone_number_id: "999" },
      statuses: [exampleStatus()],
    }))),
  ],
  ["a message", splitMessage()],
  ["a message of the same id but another type", splitMessage({ type: "unsupported" })],
  ["an edit", splitMessage({ type: "edit" })],
  ["a later edit under the same id", splitMessage({ type: "edit", timestamp: "1749416399" })],
  [
    "a message to another number",
    splitOne(exampleNotification(exampleValue({
      metadata: { phone_number_id: "999" },
      messages: [exampleMessage()],
    }))),
  ],
  [
    "a message held by another agent",
    splitOne(
      exampleNotification(exampleValue({ messages: [exampleMessage()] }), { field: "standby" }),
    ),
  ],
];

Deno.test("items that differ in what they are have different keys", () => {
  const keys = [splitStatus(), ...otherKey.map(([, event]) => event)].map(({ key }) => key);
  const titles = ["a status", ...otherKey.map(([title]) => title)];
  keys.forEach((key, index) => assert.equal(keys.indexOf(key), index, titles[index]));
});

Deno.test("equal errors side by side are several events, and the same ones when repeated", () => {
  const error = { code: 131000, title: "Something went wrong" };
  const body = exampleNotification(exampleValue({ errors: [error, error] }));
  const keys = split(body).map(({ key }) => key);
  assert.notEqual(keys[0], keys[1]);
  assert.deepEqual(split(body).map(({ key }) => key), keys);
});

for (const field of ACCOUNT_FIELDS) {
  Deno.test(`field ${field} becomes one account event with its whole value`, () => {
    const value = { event: "SOMETHING", nested: { list: [1, { a: null }] } };
    const event = splitOne(exampleNotification(value, { field, time: 1750030073 }));
    const { kind, phone_number_id, event_at, payload } = event;
    assert.deepEqual({ kind, phone_number_id, event_at, payload }, {
      kind: "account",
      phone_number_id: null,
      event_at: "2025-06-15T23:27:53.000Z",
      payload: { value, time: 1750030073 },
    });
  });
}

Deno.test("an account event repeated at another time is another event", () => {
  const at = (time: number) =>
    splitOne(exampleNotification({ event: "PAUSED" }, { field: "account_update", time })).key;
  assert.notEqual(at(1750030073), at(1750030074));
  assert.equal(at(1750030073), at(1750030073));
});

Deno.test("a message of an unknown type is a message and keeps its mates", () => {
  const messages = [
    exampleMessage({ id: "wamid.A", type: "hologram", hologram: { rays: 7 } }),
    exampleMessage({ id: "wamid.B" }),
  ];
  const events = split(exampleNotification(exampleValue({ messages })));
  assert.deepEqual(events.map(({ kind }) => kind), ["message", "message"]);
});

Deno.test("an echo of the phone app is an account event of its own, known by its id", () => {
  const value = exampleValue({
    message_echoes: [exampleMessage({ id: "wamid.A" }), exampleMessage({ id: "wamid.B" })],
  });
  const events = split(exampleNotification(value, { field: "smb_message_echoes" }));
  assert.deepEqual(events.map(({ kind, payload }) => [kind, (payload.echo as JsonObject).id]), [
    ["account", "wamid.A"],
    ["account", "wamid.B"],
  ]);
});

Deno.test("each of many items gets the contact entry of its own person", () => {
  const people = ["16505550001", "16505550002", "16505550003"];
  const value = exampleValue({
    contacts: [...people, "16505550004"].map((wa_id) => ({ wa_id, profile: { name: wa_id } })),
    messages: people.map((from) => exampleMessage({ id: `wamid.${from}`, from })),
    statuses: [exampleStatus({ recipient_id: "16505550009" })],
  });
  const contacts = split(exampleNotification(value)).map(({ payload }) => payload.contact);
  assert.deepEqual(contacts.map((contact) => (contact as JsonObject | null)?.wa_id ?? null), [
    ...people,
    null,
  ]);
});

Deno.test("a person without a phone number is found by user id", () => {
  const contact = { profile: { name: "Pablo" }, user_id: "US.13491208655302741918" };
  const { from: _from, ...rest } = exampleMessage({ from_user_id: contact.user_id });
  const other = exampleMessage({ id: "wamid.other" });
  const [event] = split(exampleNotification(exampleValue({
    contacts: [{ wa_id: "1" }, contact],
    messages: [rest, other],
  })));
  assert.equal(event!.kind, "message");
  assert.deepEqual(event!.payload.contact, contact);
});

Deno.test("a contact entry too large to repeat keeps its ids only", () => {
  const contact = { wa_id: "16505551234", profile: { name: "x".repeat(5_000) } };
  const messages = [exampleMessage({ id: "wamid.A" }), exampleMessage({ id: "wamid.B" })];
  const events = split(exampleNotification(exampleValue({ contacts: [contact], messages })));
  assert.deepEqual(events.map(({ payload }) => payload.contact), [
    { wa_id: "16505551234", user_id: null },
    { wa_id: "16505551234", user_id: null },
  ]);
});

Deno.test("a lone item where a list belongs is a list of one", () => {
  const event = splitOne(exampleNotification(exampleValue({ statuses: exampleStatus() })));
  assert.deepEqual([event.kind, event.key], ["status", splitStatus().key]);
});

Deno.test("a member too large to be repeated is an event of its own", () => {
  const value = exampleValue({ news: { text: "x".repeat(5_000) }, statuses: [exampleStatus()] });
  const events = split(exampleNotification(value));
  assert.deepEqual(events.map(({ kind }) => kind).sort(), ["status", "unknown"]);
});

Deno.test("a member that Meta adds beside the items is kept with each of them", () => {
  const value = exampleValue({ waac_id: "777", statuses: [exampleStatus()] });
  assert.deepEqual(splitOne(exampleNotification(value)).payload.other_members, { waac_id: "777" });
});

const quarantined: [title: string, reason: string, body: unknown][] = [
  ["text that is not JSON", "not_json", "nonsense"],
  ["a bare number", "body_not_an_object", 7],
  ["a list", "body_not_an_object", []],
  ["another object", "unknown_object", { object: "page", entry: [] }],
  ["no entries", "no_entries", { object: "whatsapp_business_account", entry: [] }],
  ["entries that are no list", "no_entries", { object: "whatsapp_business_account", entry: {} }],
  [
    "an entry that is text",
    "entry_not_an_object",
    { object: "whatsapp_business_account", entry: ["x"] },
  ],
  [
    "an entry without changes",
    "no_changes",
    { object: "whatsapp_business_account", entry: [{ id: "1", messaging: [] }] },
  ],
  [
    "a change that is null",
    "change_not_an_object",
    { object: "whatsapp_business_account", entry: [{ id: "1", changes: [null] }] },
  ],
  ["a change without a field", "change_without_field", exampleNotification({}, { field: null })],
  [
    "a field of endless length",
    "change_without_field",
    exampleNotification({}, {
      field: "x".repeat(5_000),
    }),
  ],
  ["a field that nobody knows", "unknown_field", exampleNotification({}, { field: "holograms" })],
  ["a value that is a list", "value_not_an_object", exampleNotification([])],
  ["a value without items", "no_items", exampleNotification(exampleValue({}))],
  ["empty lists", "no_items", exampleNotification(exampleValue({ messages: [], statuses: [] }))],
  ["a list that nobody knows", "unknown_list", exampleNotification(exampleValue({ waves: [1] }))],
  [
    "a message that is text",
    "message_not_an_object",
    exampleNotification(exampleValue({ messages: ["hello"] })),
  ],
  [
    "a message without id",
    "message_without_id",
    exampleNotification(exampleValue({ messages: [exampleMessage({ id: undefined })] })),
  ],
  [
    "a message to no number",
    "message_without_phone_number_id",
    exampleNotification(exampleValue({ metadata: null, messages: [exampleMessage()] })),
  ],
  [
    "a status without time",
    "status_incomplete",
    exampleNotification(exampleValue({ statuses: [exampleStatus({ timestamp: undefined })] })),
  ],
  [
    "a status of no number",
    "status_without_phone_number_id",
    exampleNotification(exampleValue({ metadata: {}, statuses: [exampleStatus()] })),
  ],
  [
    "a status that nobody knows",
    "unknown_status",
    exampleNotification(exampleValue({ statuses: [exampleStatus({ status: "warped" })] })),
  ],
  [
    "the dashboard's test message",
    "dashboard_test",
    exampleNotification(
      exampleValue({
        metadata: { display_phone_number: "16505551111", phone_number_id: "123456123" },
        messages: [exampleMessage()],
      }),
      { id: "0" },
    ),
  ],
  [
    "the dashboard's test of an account field",
    "dashboard_test",
    exampleNotification({ event: "VERIFIED_ACCOUNT" }, { id: "0", field: "account_update" }),
  ],
  [
    "a message nested without end",
    "too_deep",
    JSON.stringify(exampleNotification(exampleValue({ messages: [exampleMessage()] })))
      .replace('"Does', `${"[".repeat(20_000)}${"]".repeat(20_000)},"x":"Does`),
  ],
];

for (const [title, reason, body] of quarantined) {
  Deno.test(`${title} is quarantined as ${reason}`, () => {
    const event = splitOne(body);
    assert.deepEqual([event.kind, event.reason], ["unknown", reason]);
  });
}

Deno.test("text that is not JSON is kept up to its limit, as Postgres can hold it", () => {
  const event = splitOne(`\u0000{${"a".repeat(65_533)}😀 and more`);
  const { text, bytes, is_cut } = event.payload;
  assert.ok(typeof text === "string" && text.length === 65_536);
  assert.ok(text.startsWith("\ufffd{a") && text.endsWith("a\ufffd"));
  assert.deepEqual([bytes, is_cut], [65_548, true]);
});

Deno.test("what nests without end is cut and spares its mates", () => {
  const deep = `${"[".repeat(100)}${"]".repeat(100)}`;
  const body = JSON.stringify(exampleNotification(exampleValue({
    messages: [exampleMessage({ id: "wamid.A", deep: "@" }), exampleMessage({ id: "wamid.B" })],
  }))).replace('"@"', deep);
  const events = split(body);
  assert.deepEqual(events.map(({ kind }) => kind), ["unknown", "message"]);
  assert.match(JSON.stringify(events[0]!.payload), /"too_deep":true/);
  const whole = splitMessage({ id: "wamid.A" });
  assert.notEqual(events[0]!.key, whole.key, "what was cut would keep the whole message out");
});

for (const name of ["metadata", "contacts", "something_new", "errors"]) {
  for (const member of [{ deep: "@" }, [{ deep: "@" }]]) {
    const shape = Array.isArray(member) ? "a list" : "an object";
    Deno.test(`endless nesting in ${name}, ${shape}, is cut before it exhausts the stack`, () => {
      const value = exampleValue({ messages: [exampleMessage()], [name]: member });
      const deep = `${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`;
      const events = split(JSON.stringify(exampleNotification(value)).replace('"@"', deep));
      assert.ok(events.length > 0 && events.every(({ reason }) => reason !== "not_json"));
    });
  }
}

Deno.test("a name that means something to JavaScript is kept as a member like any other", () => {
  const body = `{"object":"page","__proto__":{"polluted":1},"constructor":2}`;
  const { payload } = splitOne(body);
  assert.equal(JSON.stringify(payload), `{"body":${body}}`);
  assert.equal("polluted" in {}, false);
});
