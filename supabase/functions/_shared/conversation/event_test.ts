import { strict as assert } from "node:assert";

import { MAX_TEXT_CHARACTERS, toEvent } from "./event.ts";

const cases: [label: string, kind: string, content: unknown, expected: unknown][] = [
  ["a text", "text", { text: { body: "Hi" } }, { type: "customer.wrote", text: "Hi" }],
  [
    "a button",
    "interactive",
    { interactive: { type: "button_reply", button_reply: { id: "a", title: "A" } } },
    { type: "customer.chose", id: "a", title: "A" },
  ],
  [
    "a row of a list",
    "interactive",
    { interactive: { type: "list_reply", list_reply: { id: "a", title: "A", description: "x" } } },
    { type: "customer.chose", id: "a", title: "A" },
  ],
  [
    "a quick reply of a template",
    "button",
    { button: { text: "Stop", payload: "stop" } },
    { type: "customer.chose", id: "stop", title: "Stop" },
  ],
  ["a picture", "image", { image: { id: "1" } }, { type: "customer.sent", kind: "image" }],
  ["a flow's answer", "interactive", { interactive: { nfm_reply: {} } }, {
    type: "customer.sent",
    kind: "interactive",
  }],
  ["a text without a body", "text", {}, { type: "customer.sent", kind: "text" }],
  ["a type of tomorrow", "hologram", {}, { type: "customer.sent", kind: "hologram" }],
];
for (const [label, kind, content, expected] of cases) {
  Deno.test(`${label} is ${(expected as { type: string }).type}`, () => {
    const wamid = "wamid.1";
    assert.deepEqual(toEvent({ kind, content, wamid }), { ...expected as object, wamid });
  });
}

Deno.test("reactions, notices and what Meta does not support ask for nothing", () => {
  for (const kind of ["reaction", "system", "unsupported"]) {
    assert.equal(toEvent({ kind, content: {}, wamid: null }), null);
  }
});

Deno.test("a text is no longer than Meta lets one be", () => {
  const event = toEvent({
    kind: "text",
    content: { text: { body: "x".repeat(9_999) } },
    wamid: null,
  });
  assert.ok(event?.type === "customer.wrote" && event.text.length === MAX_TEXT_CHARACTERS);
});
