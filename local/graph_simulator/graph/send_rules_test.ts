import { strict as assert } from "node:assert";
import { checkReadBody, checkSendBody, type SendBody } from "./send_rules.ts";

type Change = Record<string, unknown>;

const to = { messaging_product: "whatsapp", to: "+15550200001" };
const repeat = (length: number, character = "x") => character.repeat(length);
const times = <T>(count: number, of: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => of(index));

const text = (change: Change = {}) => ({ ...to, type: "text", text: { body: "Hello", ...change } });
const media = (type: string, content: unknown) => ({ ...to, type, [type]: content });
const link = { link: "https://a.example/file" };
const contact = (name: Change = { formatted_name: "Ann Lee", first_name: "Ann" }) => ({ name });

const interactive = (content: Change) => ({ ...to, type: "interactive", interactive: content });
const reply = (index: number) => ({
  type: "reply",
  reply: { id: `id${index}`, title: `T${index}` },
});
const buttons = (change: Change = {}, list: unknown[] = [reply(1)]) =>
  interactive({ type: "button", body: { text: "Choose" }, action: { buttons: list }, ...change });
const row = (index: number) => ({ id: `r${index}`, title: `Row ${index}` });
const list = (sections: unknown[], change: Change = {}) =>
  interactive({
    type: "list",
    body: { text: "Pick" },
    action: { button: "Open", sections },
    ...change,
  });
const ask = (type: string, name: string, parameters?: Change) =>
  interactive({
    type,
    body: { text: "Please" },
    action: { name, ...(parameters && { parameters }) },
  });
const cta = { display_text: "Open", url: "https://a.example" };
const flow = { flow_message_version: "3", flow_id: "1", flow_cta: "Start" };
const products = (count: number) => [{
  title: "All",
  product_items: times(count, (index) => ({ product_retailer_id: `p${index}` })),
}];
const productList = (change: Change = {}, count = 2) =>
  interactive({
    type: "product_list",
    header: { type: "text", text: "Shop" },
    body: { text: "Look" },
    action: { catalog_id: "1", sections: products(count) },
    ...change,
  });
const card = (change: Change = {}) => ({
  header: { type: "image", image: link },
  body: { text: "Card" },
  action: { name: "cta_url", parameters: cta },
  ...change,
});
const carousel = (cards: unknown[]) =>
  interactive({ type: "carousel", body: { text: "Look" }, action: { cards } });

const template = (components: unknown[] = [], change: Change = {}) => ({
  ...to,
  type: "template",
  template: { name: "hello_world", language: { code: "en" }, components, ...change },
});
const parameters = (...list: unknown[]) => ({ type: "body", parameters: list });

const valid: Record<string, SendBody> = {
  "text": text(),
  "text without type": { ...to, text: { body: "Hello" } },
  "text of 4,096 characters": text({ body: repeat(4_096) }),
  "text of 4,096 emoji, which are 8,192 units": text({ body: repeat(4_096, "😀") }),
  "callback data of 512 characters": { ...text(), biz_opaque_callback_data: repeat(512) },
  "a user id instead of a phone": { ...text(), to: undefined, recipient: "US.1" },
  "a quoting text": { ...text(), context: { message_id: "wamid.x" } },
  "image by link": media("image", { ...link, caption: repeat(1_024) }),
  "image by id": media("image", { id: "1" }),
  "video": media("video", link),
  "audio": media("audio", { ...link, voice: true }),
  "document": media("document", { ...link, filename: "a.pdf", caption: "c" }),
  "sticker": media("sticker", { id: "1" }),
  "location with numbers": media("location", { latitude: 52.5, longitude: -13.4 }),
  "location with strings, as in Meta's samples": media("location", {
    latitude: "52",
    longitude: "1",
  }),
  "257 contacts": media("contacts", times(257, () => contact())),
  "reaction": media("reaction", { message_id: "wamid.x", emoji: "👍" }),
  "reaction taken back": media("reaction", { message_id: "wamid.x", emoji: "" }),
  "3 buttons": buttons({}, [reply(1), reply(2), reply(3)]),
  "buttons under a picture": buttons({ header: { type: "image", image: link } }),
  "list of 10 rows": list([{ rows: times(10, row) }]),
  "list of 2 titled sections": list([
    { title: "A", rows: [row(1)] },
    { title: "B", rows: [row(2)] },
  ]),
  "cta_url": ask("cta_url", "cta_url", cta),
  "flow": ask("flow", "flow", flow),
  "product": interactive({
    type: "product",
    action: { catalog_id: "1", product_retailer_id: "2" },
  }),
  "product_list of 30": productList({}, 30),
  "catalog_message": ask("catalog_message", "catalog_message"),
  "location_request_message": ask("location_request_message", "send_location"),
  "address_message": ask("address_message", "address_message", { country: "IN" }),
  "carousel": carousel([card(), card()]),
  "request_contact_info": ask("request_contact_info", "request_contact_info"),
  "template": template(),
  "template with parameters": template([
    parameters({ type: "text", text: "a" }, {
      type: "currency",
      currency: { fallback_value: "1" },
    }),
    { type: "button", sub_type: "url", index: "0", parameters: [{ type: "text", text: "x" }] },
    {
      type: "button",
      sub_type: "QUICK_REPLY",
      index: 1,
      parameters: [{ type: "payload", payload: "p" }],
    },
  ]),
};

const invalid: [string, number, SendBody][] = [
  ["no messaging_product", 131008, { ...text(), messaging_product: undefined }],
  ["another messaging_product", 100, { ...text(), messaging_product: "sms" }],
  ["nobody to send to", 131008, { ...text(), to: undefined }],
  ["an empty to", 131008, { ...text(), to: "" }],
  ["a numeric to", 100, { ...text(), to: 15550200001 }],
  ["an unknown recipient_type", 100, { ...text(), recipient_type: "crowd" }],
  ["an unknown type", 100, { ...to, type: "telegram" }],
  ["callback data of 513 characters", 100, { ...text(), biz_opaque_callback_data: repeat(513) }],
  ["a context without id", 131008, { ...text(), context: {} }],
  ["no text object", 131008, { ...to, type: "text" }],
  ["text that is a string", 100, { ...to, type: "text", text: "Hello" }],
  ["no text body", 131008, text({ body: undefined })],
  ["an empty text body", 131008, text({ body: "" })],
  ["text of 4,097 characters", 100, text({ body: repeat(4_097) })],
  ["a number as text", 100, text({ body: 5 })],
  ["media without id and link", 131008, media("image", { caption: "c" })],
  ["media with id and link", 100, media("image", { id: "1", ...link })],
  ["media with a link that is no URL", 100, media("image", { link: "ftp:x" })],
  ["a caption of 1,025 characters", 100, media("image", { ...link, caption: repeat(1_025) })],
  ["audio with caption", 100, media("audio", { ...link, caption: "c" })],
  ["sticker with caption", 100, media("sticker", { ...link, caption: "c" })],
  ["location without longitude", 131008, media("location", { latitude: 1 })],
  ["location off the earth", 100, media("location", { latitude: 91, longitude: 0 })],
  ["location in words", 100, media("location", { latitude: "north", longitude: 0 })],
  ["contacts that are an object", 100, media("contacts", contact())],
  ["no contacts", 100, media("contacts", [])],
  ["258 contacts", 100, media("contacts", times(258, () => contact()))],
  ["a contact without formatted_name", 131008, media("contacts", [contact({ first_name: "A" })])],
  ["a contact with one name part", 131008, media("contacts", [contact({ formatted_name: "A" })])],
  ["reaction without message", 131008, media("reaction", { emoji: "x" })],
  ["reaction without emoji", 131008, media("reaction", { message_id: "wamid.x" })],
  ["reaction that quotes", 100, {
    ...media("reaction", { message_id: "wamid.x", emoji: "x" }),
    context: { message_id: "wamid.y" },
  }],
  ["interactive without type", 131008, interactive({})],
  ["interactive of unknown type", 131009, interactive({ type: "quiz" })],
  ["buttons without body", 131008, buttons({ body: undefined })],
  ["no buttons", 131009, buttons({}, [])],
  ["4 buttons", 131009, buttons({}, times(4, reply))],
  ["a button that is no reply", 131009, buttons({}, [{ ...reply(1), type: "url" }])],
  [
    "a button title of 21",
    131009,
    buttons({}, [{ type: "reply", reply: { id: "1", title: repeat(21) } }]),
  ],
  [
    "a button id of 257",
    131009,
    buttons({}, [{ type: "reply", reply: { id: repeat(257), title: "T" } }]),
  ],
  ["a button without title", 131008, buttons({}, [{ type: "reply", reply: { id: "1" } }])],
  [
    "two buttons of one title",
    131009,
    buttons({}, [
      reply(1),
      { type: "reply", reply: { id: "2", title: "T1" } },
    ]),
  ],
  [
    "two buttons of one id",
    131009,
    buttons({}, [
      reply(1),
      { type: "reply", reply: { id: "id1", title: "T2" } },
    ]),
  ],
  ["a body of 1,025 above buttons", 131009, buttons({ body: { text: repeat(1_025) } })],
  ["a footer of 61", 131009, buttons({ footer: { text: repeat(61) } })],
  ["a header text of 61", 131009, buttons({ header: { type: "text", text: repeat(61) } })],
  ["a header of unknown type", 131009, buttons({ header: { type: "audio", audio: link } })],
  ["a picture header without picture", 131008, buttons({ header: { type: "image" } })],
  [
    "list with a picture header",
    131009,
    list([{ rows: [row(1)] }], { header: { type: "image", image: link } }),
  ],
  ["a list body of 4,097", 131009, list([{ rows: [row(1)] }], { body: { text: repeat(4_097) } })],
  [
    "a list button of 21",
    131009,
    list([], { action: { button: repeat(21), sections: [{ rows: [row(1)] }] } }),
  ],
  ["11 sections", 131009, list(times(11, (index) => ({ title: `S${index}`, rows: [row(index)] })))],
  [
    "11 rows in all",
    131009,
    list([
      { title: "A", rows: times(6, row) },
      { title: "B", rows: times(5, (index) => row(index + 6)) },
    ]),
  ],
  [
    "an untitled section of two",
    131009,
    list([{ title: "A", rows: [row(1)] }, { rows: [row(2)] }]),
  ],
  ["a section title of 25", 131009, list([{ title: repeat(25), rows: [row(1)] }])],
  ["an empty section", 131009, list([{ title: "A", rows: [] }])],
  ["a row id of 201", 131009, list([{ rows: [{ id: repeat(201), title: "R" }] }])],
  ["a row title of 25", 131009, list([{ rows: [{ id: "1", title: repeat(25) }] }])],
  ["a row description of 73", 131009, list([{ rows: [{ ...row(1), description: repeat(73) }] }])],
  ["two rows of one id", 131009, list([{ rows: [row(1), row(1)] }])],
  ["cta_url without parameters", 131008, ask("cta_url", "cta_url")],
  ["a cta_url text of 21", 131009, ask("cta_url", "cta_url", { ...cta, display_text: repeat(21) })],
  ["a cta_url that is no URL", 131009, ask("cta_url", "cta_url", { ...cta, url: "a.example" })],
  ["cta_url of another name", 131009, ask("cta_url", "open_url", cta)],
  ["flow of version 2", 131009, ask("flow", "flow", { ...flow, flow_message_version: "2" })],
  ["flow by id and by name", 131009, ask("flow", "flow", { ...flow, flow_name: "n" })],
  ["a flow_cta of 21", 131009, ask("flow", "flow", { ...flow, flow_cta: repeat(21) })],
  [
    "product with header",
    131009,
    interactive({
      type: "product",
      header: { type: "text", text: "No" },
      action: { catalog_id: "1", product_retailer_id: "2" },
    }),
  ],
  ["product_list without header", 131008, productList({ header: undefined })],
  ["31 products", 131009, productList({}, 31)],
  [
    "an address outside India",
    131009,
    ask("address_message", "address_message", { country: "DE" }),
  ],
  ["a carousel of 1 card", 131009, carousel([card()])],
  ["a carousel of 11 cards", 131009, carousel(times(11, () => card()))],
  [
    "cards of two kinds",
    131009,
    carousel([card(), card({ header: { type: "video", video: link } })]),
  ],
  ["a card body of 161", 131009, carousel([card(), card({ body: { text: repeat(161) } })])],
  [
    "a card body of 3 line breaks",
    131009,
    carousel([card(), card({ body: { text: "a\nb\nc\nd" } })]),
  ],
  ["template without name", 131008, template([], { name: undefined })],
  ["template named in capitals", 100, template([], { name: "Hello" })],
  ["template without language", 131008, template([], { language: undefined })],
  ["an unknown component", 100, template([{ type: "sidebar" }])],
  ["a button without index", 100, template([{ type: "button", sub_type: "url" }])],
  ["a button of unknown sub_type", 100, template([{ type: "button", sub_type: "fax", index: 0 }])],
  ["an unknown parameter type", 100, template([parameters({ type: "poem", poem: "x" })])],
  ["an empty text parameter", 131008, template([parameters({ type: "text", text: "" })])],
  [
    "an image parameter without image",
    131008,
    template([parameters({ type: "image", image: {} })]),
  ],
];

for (const [label, body] of Object.entries(valid)) {
  Deno.test(`checkSendBody() accepts ${label}`, () => assert.equal(checkSendBody(body), null));
}

for (const [label, code, body] of invalid) {
  Deno.test(`checkSendBody() refuses ${label} with ${code}`, () => {
    assert.equal(checkSendBody(body)?.code, code);
  });
}

Deno.test("the details of a refusal name the field", () => {
  const tooLong = buttons({}, [{ type: "reply", reply: { id: "1", title: repeat(21) } }]);
  assert.match(
    checkSendBody(tooLong)?.details ?? "",
    /interactive\['action'\]\['buttons'\]\[0\]\['reply'\]\['title'\] must be at most 20/,
  );
});

const read = { messaging_product: "whatsapp", status: "read", message_id: "wamid.x" };
const readBodies: [string, number | null, SendBody][] = [
  ["a read body", null, read],
  ["a typing body", null, { ...read, typing_indicator: { type: "text" } }],
  ["another status", 100, { ...read, status: "delivered" }],
  ["no message", 131008, { ...read, message_id: undefined }],
  ["typing of another type", 100, { ...read, typing_indicator: { type: "audio" } }],
];

for (const [label, code, body] of readBodies) {
  Deno.test(`checkReadBody() of ${label}`, () =>
    assert.equal(checkReadBody(body)?.code ?? null, code));
}
