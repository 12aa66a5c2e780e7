import { strict as assert } from "node:assert";
import { toGraphBody } from "./graph_body.ts";

const text = { id: "0198f2f4", to: "+16505551234", type: "text", content: { body: "Hello" } };

Deno.test("Meta's body has the content under the type's name and our id as callback data", () => {
  assert.deepEqual(toGraphBody(text), {
    messaging_product: "whatsapp",
    recipient_type: "individual",
    to: "+16505551234",
    type: "text",
    text: { body: "Hello" },
    biz_opaque_callback_data: "0198f2f4",
  });
});

Deno.test("Meta's body names who hides the number as recipient, never in to", () => {
  const { to, recipient } = toGraphBody({ ...text, to: "US.13491208655302741918" });
  assert.deepEqual([to, recipient], [undefined, "US.13491208655302741918"]);
});

Deno.test("Meta's body quotes the message that is answered, and none where there is none", () => {
  const context = { message_id: "wamid.A" };
  assert.deepEqual(toGraphBody({ ...text, context }).context, context);
  assert.equal("context" in toGraphBody({ ...text, context: null }), false);
});

Deno.test("Meta's body of a read receipt names the message that was read, and nothing else", () => {
  const read = { message_id: "wamid.A", typing_indicator: { type: "text" } };
  assert.deepEqual(toGraphBody({ ...text, type: "read", content: read }), {
    messaging_product: "whatsapp",
    status: "read",
    message_id: "wamid.A",
    typing_indicator: { type: "text" },
  });
});
