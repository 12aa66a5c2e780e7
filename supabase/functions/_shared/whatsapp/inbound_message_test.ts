import { strict as assert } from "node:assert";
import { INBOUND_EXAMPLES, SYSTEM_EXAMPLE } from "./inbound_examples.ts";
import { INBOUND_TYPES, typeInbound } from "./inbound_message.ts";

const examples = { ...INBOUND_EXAMPLES, system: SYSTEM_EXAMPLE };

for (const [title, { type, sent, told, toldType = type }] of Object.entries(examples)) {
  Deno.test(`${title} is told as documented`, () => {
    assert.deepEqual(typeInbound(type, sent), { type: toldType, content: told });
  });
}

Deno.test("every type that is known has an example", () => {
  const shown = new Set(Object.values(examples).map(({ type }) => type));
  assert.deepEqual(INBOUND_TYPES.filter((type) => !shown.has(type)), []);
});

Deno.test("the answer of a flow that is no JSON is kept as text alone", () => {
  const { content } = typeInbound("interactive", {
    interactive: { type: "nfm_reply", nfm_reply: { response_json: "{" } },
  });
  const { nfm_reply } = content.interactive as { nfm_reply: unknown };
  assert.deepEqual(nfm_reply, { response_json: "{", response: null });
});

Deno.test("a revision of a revision is told and ends", () => {
  const inner = { original_message_id: "a", message: { type: "text", text: { body: "b" } } };
  const outer = { original_message_id: "c", message: { type: "edit", edit: inner } };
  assert.deepEqual(typeInbound("edit", { edit: outer }).content, { edit: outer });
});

for (const name of ["__proto__", "constructor", "toString"]) {
  Deno.test(`a type called ${name} is one that nobody knows`, () => {
    assert.deepEqual(typeInbound(name, {}), { type: name, content: {} });
  });
}
