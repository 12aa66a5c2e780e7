import { strict as assert } from "node:assert";
import { toFieldErrors } from "../http/field_errors.ts";
import { breakExample, EXAMPLES } from "./outbound_examples.ts";
import type { ExampleName } from "./outbound_examples.ts";
import { LIMITS } from "./outbound_limits.ts";
import { contentOf, parseMessage } from "./outbound_message.ts";

const now = Date.parse("2026-11-22T04:00:00Z");
const long = (limit: { max: number }) => "x".repeat(limit.max + 1);
const many = (count: number, make: (index: number) => unknown) =>
  Array.from({ length: count }, (_, index) => make(index));

function pointersOf(request: unknown): string[] {
  const parsed = parseMessage(request, now);
  return parsed.ok ? [] : toFieldErrors(parsed.error).map(({ pointer }) => pointer);
}

for (const [name, example] of Object.entries(EXAMPLES)) {
  Deno.test(`a valid message is accepted: ${name}`, () =>
    assert.deepEqual(pointersOf(example), []));
}

const actionOf = "/interactive/action";
const reply = (index: number) => ({ type: "reply", reply: { id: `${index}`, title: `${index}` } });
const row = (index: number) => ({ id: `${index}`, title: "x" });
const item = (index: number) => ({ product_retailer_id: `${index}` });
const button = {
  type: "button",
  sub_type: "quick_reply",
  index: 0,
  parameters: [{ type: "payload", payload: "x" }],
};
const card = EXAMPLES.carousel_products.interactive as {
  action: { cards: Record<string, unknown>[] };
};
const product = (card_index: number) => ({ ...card.action.cards[0], card_index });

/** For each limit a message with just that wrong: where, what, and where the error points. */
const overLimit: Record<
  keyof typeof LIMITS,
  [name: ExampleName, place: string, value: unknown, pointer?: string]
> = {
  text_body: ["text", "/text/body", long(LIMITS.text_body)],
  media_caption: ["image", "/image/caption", long(LIMITS.media_caption)],
  contacts: ["contacts", "/contacts", many(258, () => EXAMPLES.contacts.contacts[0])],
  header_text: ["list", "/interactive/header/text", long(LIMITS.header_text)],
  footer_text: ["button", "/interactive/footer/text", long(LIMITS.footer_text)],
  interactive_body: ["button", "/interactive/body/text", long(LIMITS.interactive_body)],
  reply_buttons: ["button", `${actionOf}/buttons`, many(4, reply)],
  reply_id: ["button", `${actionOf}/buttons/0/reply/id`, long(LIMITS.reply_id)],
  reply_title: ["button", `${actionOf}/buttons/0/reply/title`, long(LIMITS.reply_title)],
  list_body: ["list", "/interactive/body/text", long(LIMITS.list_body)],
  list_button: ["list", `${actionOf}/button`, long(LIMITS.list_button)],
  list_sections: ["list", `${actionOf}/sections`, []],
  section_title: ["list", `${actionOf}/sections/0/title`, long(LIMITS.section_title)],
  list_rows: [
    "list",
    `${actionOf}/sections/0/rows`,
    many(10, (n) => row(n)),
    `${actionOf}/sections`,
  ],
  row_id: ["list", `${actionOf}/sections/0/rows/0/id`, long(LIMITS.row_id)],
  row_title: ["list", `${actionOf}/sections/0/rows/0/title`, long(LIMITS.row_title)],
  row_description: [
    "list",
    `${actionOf}/sections/0/rows/0/description`,
    long(LIMITS.row_description),
  ],
  link_text: ["cta_url", `${actionOf}/parameters/display_text`, long(LIMITS.link_text)],
  flow_button: ["flow", `${actionOf}/parameters/flow_cta`, long(LIMITS.flow_button)],
  product_sections: ["product_list", `${actionOf}/sections`, []],
  products: [
    "product_list",
    `${actionOf}/sections/0/product_items`,
    many(30, item),
    `${actionOf}/sections`,
  ],
  carousel_cards: ["carousel_products", `${actionOf}/cards`, [product(0)]],
  card_body: ["carousel_links", `${actionOf}/cards/0/body/text`, long(LIMITS.card_body)],
  card_line_breaks: ["carousel_links", `${actionOf}/cards/0/body/text`, "a\nb\nc\nd"],
  card_button_id: [
    "carousel_replies",
    `${actionOf}/cards/0/action/buttons/0/quick_reply/id`,
    long(LIMITS.card_button_id),
  ],
  card_button_title: [
    "carousel_replies",
    `${actionOf}/cards/1/action/buttons/0/quick_reply/title`,
    long(LIMITS.card_button_title),
  ],
  template_name: ["template", "/template/name", long(LIMITS.template_name)],
  template_header: [
    "template",
    "/template/components/0/parameters/0/text",
    long(LIMITS.template_header),
  ],
  template_body: [
    "template",
    "/template/components/1/parameters/0/text",
    long(LIMITS.template_body),
  ],
  template_buttons: [
    "template",
    "/template/components",
    many(11, () => button),
    "/template/components/10",
  ],
  template_cards: ["template_carousel", "/template/components/1/cards", []],
  template_url: ["template", "/template/components/3/parameters/0/text", long(LIMITS.template_url)],
  coupon_code: [
    "template",
    "/template/components/4/parameters/0/coupon_code",
    long(LIMITS.coupon_code),
  ],
};

for (const [limit, [name, place, value, pointer = place]] of Object.entries(overLimit)) {
  Deno.test(`a message over the limit ${limit} is refused at ${pointer}`, () => {
    assert.deepEqual(pointersOf(breakExample(name, place, value)), [pointer]);
  });
}

const wrong: [rule: string, name: ExampleName, place: string, value: unknown, pointer?: string][] =
  [
    ["needs from", "text", "/from", undefined],
    ["needs a phone_number_id", "text", "/from", "+15550100001"],
    ["needs to", "text", "/to", undefined],
    ["goes to a phone number", "text", "/to", "nobody"],
    ["goes to no id that Meta would not know", "text", "/to", "DE.1349-1208"],
    ["needs a type", "text", "/type", undefined],
    ["is of a known type", "text", "/type", "fax"],
    ["needs the object of its type", "text", "/text", undefined],
    ["has no other object", "text", "/image", { id: "1" }],
    ["has a known lane", "text", "/lane", "fast"],
    ["is sent at a time with offset", "text", "/send_at", "2026-11-22T10:00:00"],
    ["expires at a time with offset", "text", "/expires_at", 1_795_000_000],
    ["does not expire now or before", "image", "/expires_at", "2026-11-22T04:00:00Z"],
    ["does not expire before it is sent", "text", "/expires_at", "2026-11-22T09:00:00Z"],
    ["has a client_ref of at most 200 characters", "text", "/client_ref", "x".repeat(201)],
    ["knows two policies for what is unknown", "text", "/on_unknown", "retry"],
    ["leaves the callback text to us", "text", "/biz_opaque_callback_data", "x"],
    ["goes to one person", "text", "/recipient_type", "group"],
    ["quotes one message", "text", "/context/message_id", ""],
    ["has text", "text", "/text/body", ""],
    ["can be stored", "text", "/text/body", "a\u0000b"],
    ["has media from id or link", "image", "/image/id", "1", "/image"],
    ["has media from somewhere", "sticker", "/sticker/id", undefined, "/sticker"],
    ["has media at an address of the web", "image", "/image/link", "file:///etc/passwd"],
    ["has audio without caption", "audio", "/audio/caption", "x"],
    ["has a sticker without caption", "sticker", "/sticker/caption", "x"],
    ["has a latitude that exists", "location", "/location/latitude", 90.1],
    ["has a longitude that exists", "location", "/location/longitude", "-180.5"],
    ["has a contact at least", "contacts", "/contacts", []],
    [
      "names a contact twice",
      "contacts",
      "/contacts/0/name/first_name",
      undefined,
      "/contacts/0/name",
    ],
    ["has birthdays that are dates", "contacts", "/contacts/0/birthday", "23 January"],
    ["reacts to a message", "reaction", "/reaction/message_id", undefined],
    ["reacts with an emoji", "reaction", "/reaction/emoji", "ok"],
    ["reacts with one emoji", "reaction", "/reaction/emoji", "👍👍"],
    ["reacts without context", "reaction", "/context", { message_id: "wamid.x" }],
    ["marks a message as read", "read", "/read/message_id", undefined],
    ["types as Meta knows it", "read", "/read/typing_indicator/type", "voice"],
    ["marks as read without context", "read", "/context", { message_id: "wamid.x" }],
    ["names a template in small letters", "template", "/template/name", "Order"],
    ["names a template's language", "template", "/template/language/code", "English"],
    ["has known components", "template", "/template/components/0/type", "footer"],
    [
      "has one header",
      "template",
      "/template/components/1",
      EXAMPLES.template.template.components[0],
    ],
    [
      "fills a header once",
      "template",
      "/template/components/0/parameters",
      many(2, () => ({
        type: "text",
        text: "x",
      })),
    ],
    ["has no empty parameter", "template", "/template/components/0/parameters/0/text", ""],
    [
      "names parameters all or none",
      "template",
      "/template/components/1/parameters/0/parameter_name",
      undefined,
      "/template/components/1/parameters",
    ],
    ["has known kinds of buttons", "template", "/template/components/2/sub_type", "fax"],
    ["has buttons at known places", "template", "/template/components/2/index", "10"],
    ["fills a button with its own kind", "template", "/template/components/3/parameters/0", {
      type: "payload",
      payload: "x",
    }, "/template/components/3/parameters/0/type"],
    [
      "has a body of currency in a known code",
      "template",
      "/template/components/1/parameters/1/currency/code",
      "euro",
    ],
    ["has different titles on buttons", "button", `${actionOf}/buttons/1/reply/title`, "Change"],
    ["has different ids of buttons", "button", `${actionOf}/buttons/1/reply/id`, "change"],
    ["needs a body beside buttons", "button", "/interactive/body", undefined],
    ["has no header of audio", "button", "/interactive/header/type", "audio"],
    ["has a list under text only", "list", "/interactive/header/type", "image"],
    ["titles sections where there are several", "list", `${actionOf}/sections/1/title`, undefined],
    [
      "has different ids of rows",
      "list",
      `${actionOf}/sections/1/rows/0/id`,
      "a",
      `${actionOf}/sections`,
    ],
    ["links to an address of the web", "cta_url", `${actionOf}/parameters/url`, "tel:+1"],
    ["has one flow", "flow", `${actionOf}/parameters/flow_name`, "x", `${actionOf}/parameters`],
    ["has a flow of version 3", "flow", `${actionOf}/parameters/flow_message_version`, 3],
    ["has a product without header", "product", "/interactive/header", { type: "text", text: "x" }],
    ["has a header over products", "product_list", "/interactive/header", undefined],
    ["asks for addresses in India only", "address_message", `${actionOf}/parameters/country`, "DE"],
    ["asks for a location by its name", "location_request_message", `${actionOf}/name`, "location"],
    [
      "has at most 10 cards",
      "carousel_products",
      `${actionOf}/cards`,
      many(11, (n) => product(n % 10)),
    ],
    ["numbers cards once", "carousel_products", `${actionOf}/cards/1/card_index`, 0],
    [
      "has cards of one catalog",
      "carousel_products",
      `${actionOf}/cards/1/action/catalog_id`,
      "2",
      `${actionOf}/cards`,
    ],
    ["has cards of one kind", "carousel_links", `${actionOf}/cards/1/header`, {
      type: "video",
      video: { id: "1" },
    }, `${actionOf}/cards`],
    ["has cards with image or video", "carousel_links", `${actionOf}/cards/0/header/type`, "text"],
    ["is a known interactive kind", "button", "/interactive/type", "poll"],
  ];

for (const [rule, name, place, value, pointer = place] of wrong) {
  Deno.test(`a message ${rule}: ${name} is refused at ${pointer}`, () => {
    assert.ok(pointersOf(breakExample(name, place, value)).includes(pointer));
  });
}

Deno.test("parseMessage takes a business-scoped user id as it is, and nothing that looks like one", () => {
  const text = { from: "1", type: "text", text: { body: "Hello" } };
  for (const to of ["US.13491208655302741918", "DE.ENT.1a2B"]) {
    const parsed = parseMessage({ ...text, to }, 0);
    assert.equal(parsed.ok && parsed.request.to, to);
  }
  for (const to of ["us.1", "US.", "USA.1", "US.1-2", `US.${"1".repeat(129)}`]) {
    assert.equal(parseMessage({ ...text, to }, 0).ok, false, to);
  }
});

Deno.test("parseMessage writes the recipient in E.164 and drops what says nothing", () => {
  const parsed = parseMessage({
    messaging_product: "whatsapp",
    recipient_type: "individual",
    from: "100000000000001",
    to: "49 (151) 1234-5678",
    type: "text",
    text: { body: "Hello" },
  }, now);
  assert.ok(parsed.ok);
  assert.deepEqual(parsed.request, {
    from: "100000000000001",
    to: "+4915112345678",
    type: "text",
    text: { body: "Hello" },
  });
  assert.deepEqual(contentOf(parsed.request), { body: "Hello" });
});

Deno.test("parseMessage leaves what is optional out instead of filling it in", () => {
  const parsed = parseMessage(EXAMPLES.sticker, now);
  assert.ok(parsed.ok);
  assert.deepEqual(Object.keys(parsed.request).sort(), ["from", "sticker", "to", "type"]);
});

Deno.test("parseMessage takes an empty emoji as taking the reaction back", () => {
  assert.deepEqual(pointersOf(breakExample("reaction", "/reaction/emoji", "")), []);
});

Deno.test("parseMessage reads a template's words in capitals and writes them small", () => {
  const parsed = parseMessage(EXAMPLES.template, now);
  assert.ok(parsed.ok && parsed.request.type === "template");
  const [header, , button] = parsed.request.template.components ?? [];
  assert.equal(header?.type, "header");
  assert.ok(button?.type === "button");
  assert.equal(button.sub_type, "quick_reply");
});
