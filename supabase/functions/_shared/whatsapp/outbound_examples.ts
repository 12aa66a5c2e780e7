/** One valid request of every type and kind, for tests to break in one place. */
const envelope = { from: "100000000000001", to: "+4915112345678" };

function interactive(kind: Record<string, unknown>): Record<string, unknown> {
  return { ...envelope, type: "interactive", interactive: kind };
}

const body = { text: "Which one do you prefer?" };

export const EXAMPLES = {
  text: {
    ...envelope,
    type: "text",
    text: { body: "See https://example.com", preview_url: true },
    context: { message_id: "wamid.HBgLMTY1MA==" },
    lane: "urgent",
    send_at: "2026-11-22T10:00:00+01:00",
    expires_at: "2026-11-23T10:00:00+01:00",
    client_ref: "order-4711",
    on_unknown: "resend",
  },
  image: {
    ...envelope,
    type: "image",
    image: { link: "https://example.com/a.png", caption: "The plant" },
  },
  video: { ...envelope, type: "video", video: { id: "2762702990552401", caption: "It grows" } },
  audio: { ...envelope, type: "audio", audio: { id: "2762702990552401", voice: true } },
  document: {
    ...envelope,
    type: "document",
    document: { id: "2762702990552401", caption: "Your bill", filename: "bill.pdf" },
  },
  sticker: { ...envelope, type: "sticker", sticker: { id: "2762702990552401" } },
  location: {
    ...envelope,
    type: "location",
    location: { latitude: 52.52, longitude: "13.405", name: "Berlin", address: "Mitte" },
  },
  contacts: {
    ...envelope,
    type: "contacts",
    contacts: [{
      name: { formatted_name: "Ann Other", first_name: "Ann" },
      phones: [{ phone: "+16505551234", type: "CELL", wa_id: "16505551234" }],
      emails: [{ email: "ann@example.com", type: "WORK" }],
      urls: [{ url: "https://example.com", type: "WORK" }],
      addresses: [{ city: "Berlin", country_code: "DE", type: "HOME" }],
      org: { company: "Example" },
      birthday: "1999-01-23",
    }],
  },
  reaction: {
    ...envelope,
    type: "reaction",
    reaction: { message_id: "wamid.HBgLMTY1MA==", emoji: "👍🏽" },
  },
  read: {
    ...envelope,
    type: "read",
    read: { message_id: "wamid.HBgLMTY1MA==", typing_indicator: { type: "text" } },
  },
  template: {
    ...envelope,
    type: "template",
    template: {
      name: "order_confirmation_2",
      language: { code: "en_US", policy: "deterministic" },
      components: [
        { type: "HEADER", parameters: [{ type: "text", text: "4711" }] },
        {
          type: "body",
          parameters: [
            { type: "text", parameter_name: "first_name", text: "Ann" },
            {
              type: "currency",
              parameter_name: "price",
              currency: { fallback_value: "€5.90", code: "EUR", amount_1000: 5_900 },
            },
            {
              type: "date_time",
              parameter_name: "day",
              date_time: { fallback_value: "22 November 2026", day_of_week: 7 },
            },
          ],
        },
        {
          type: "button",
          sub_type: "QUICK_REPLY",
          index: "0",
          parameters: [{ type: "payload", payload: "confirm-4711" }],
        },
        {
          type: "button",
          sub_type: "url",
          index: 1,
          parameters: [{ type: "text", text: "orders/4711" }],
        },
        {
          type: "button",
          sub_type: "copy_code",
          index: 2,
          parameters: [{ type: "coupon_code", coupon_code: "SPRING25" }],
        },
        {
          type: "button",
          sub_type: "flow",
          index: 3,
          parameters: [{ type: "action", action: { flow_token: "t", flow_action_data: { a: 1 } } }],
        },
        {
          type: "limited_time_offer",
          parameters: [{
            type: "limited_time_offer",
            limited_time_offer: { expiration_time_ms: 1_795_000_000_000 },
          }],
        },
      ],
    },
  },
  template_carousel: {
    ...envelope,
    type: "template",
    template: {
      name: "plants",
      language: { code: "en" },
      components: [
        {
          type: "header",
          parameters: [{ type: "location", location: { latitude: 1, longitude: 2 } }],
        },
        {
          type: "carousel",
          cards: [{
            card_index: 0,
            components: [
              { type: "header", parameters: [{ type: "image", image: { id: "1" } }] },
              { type: "body", parameters: [{ type: "text", text: "10 %" }] },
              {
                type: "button",
                sub_type: "quick_reply",
                index: 0,
                parameters: [{ type: "payload", payload: "more" }],
              },
            ],
          }],
        },
      ],
    },
  },
  button: interactive({
    type: "button",
    header: { type: "image", image: { id: "2762702990552401" } },
    body,
    footer: { text: "Lucky Shrub" },
    action: {
      buttons: [
        { type: "reply", reply: { id: "change", title: "Change" } },
        { type: "reply", reply: { id: "cancel", title: "Cancel" } },
      ],
    },
  }),
  list: interactive({
    type: "list",
    header: { type: "text", text: "Shipping" },
    body,
    footer: { text: "Lucky Shrub" },
    action: {
      button: "Options",
      sections: [
        { title: "Fast", rows: [{ id: "a", title: "Express", description: "Next day" }] },
        { title: "Slow", rows: [{ id: "b", title: "Mail" }] },
      ],
    },
  }),
  cta_url: interactive({
    type: "cta_url",
    header: { type: "document", document: { id: "1", filename: "menu.pdf" } },
    body,
    action: {
      name: "cta_url",
      parameters: { display_text: "See dates", url: "https://example.com/dates" },
    },
  }),
  flow: interactive({
    type: "flow",
    header: { type: "text", text: "Book" },
    body,
    action: {
      name: "flow",
      parameters: {
        flow_message_version: "3",
        flow_id: "1",
        flow_cta: "Book!",
        flow_token: "t",
        mode: "published",
        flow_action: "navigate",
        flow_action_payload: { screen: "FIRST", data: { seats: [1, 2] } },
      },
    },
  }),
  product: interactive({
    type: "product",
    body,
    footer: { text: "Lucky Shrub" },
    action: { catalog_id: "367025965434465", product_retailer_id: "di9ozbzfi4" },
  }),
  product_list: interactive({
    type: "product_list",
    header: { type: "text", text: "Plants" },
    body,
    action: {
      catalog_id: "146265584024623",
      sections: [
        { title: "Succulents", product_items: [{ product_retailer_id: "a" }] },
        { title: "Herbs", product_items: [{ product_retailer_id: "b" }] },
      ],
    },
  }),
  catalog_message: interactive({
    type: "catalog_message",
    body,
    action: {
      name: "catalog_message",
      parameters: { thumbnail_product_retailer_id: "2lc20305pt" },
    },
  }),
  location_request_message: interactive({
    type: "location_request_message",
    body,
    action: { name: "send_location" },
  }),
  address_message: interactive({
    type: "address_message",
    body,
    action: {
      name: "address_message",
      parameters: {
        country: "IN",
        values: { name: "Ann" },
        saved_addresses: [{ id: "a", value: { city: "Mumbai" } }],
        validation_errors: { in_pin_code: "Not found." },
      },
    },
  }),
  carousel_links: interactive({
    type: "carousel",
    body,
    action: {
      cards: [0, 1].map((card_index) => ({
        card_index,
        type: "cta_url",
        header: { type: "image", image: { link: "https://example.com/a.jpeg" } },
        body: { text: "Blue\n\nEcheveria" },
        action: {
          name: "cta_url",
          parameters: { display_text: "Buy now", url: "https://example.com/blue" },
        },
      })),
    },
  }),
  carousel_replies: interactive({
    type: "carousel",
    body,
    action: {
      cards: [0, 1].map((card_index) => ({
        card_index,
        type: "cta_url",
        header: { type: "video", video: { id: "1" } },
        action: {
          buttons: [{
            type: "quick_reply",
            quick_reply: { id: "learn-blue", title: "Learn more" },
          }],
        },
      })),
    },
  }),
  carousel_products: interactive({
    type: "carousel",
    body,
    action: {
      cards: ["a", "b"].map((product_retailer_id, card_index) => ({
        card_index,
        type: "product",
        action: { catalog_id: "1", product_retailer_id },
      })),
    },
  }),
  voice_call: interactive({
    type: "voice_call",
    body,
    action: { name: "voice_call", parameters: { display_text: "Call us", ttl_minutes: 60 } },
  }),
  call_permission_request: interactive({
    type: "call_permission_request",
    body,
    action: { name: "call_permission_request" },
  }),
  request_contact_info: interactive({
    type: "request_contact_info",
    body,
    action: { name: "request_contact_info" },
  }),
} satisfies Record<string, Record<string, unknown>>;

export type ExampleName = keyof typeof EXAMPLES;

/** The example with the value at the JSON pointer replaced; undefined takes it out. */
export function breakExample(
  name: ExampleName,
  pointer: string,
  value: unknown,
): Record<string, unknown> {
  const broken: Record<string, unknown> = structuredClone(EXAMPLES[name]);
  const steps = pointer.split("/").slice(1);
  const last = steps.pop() ?? "";
  const parent = steps.reduce(
    (place, step) => place[step] as Record<string, unknown>,
    broken,
  );
  if (value === undefined) delete parent[last];
  else parent[last] = value;
  return broken;
}
