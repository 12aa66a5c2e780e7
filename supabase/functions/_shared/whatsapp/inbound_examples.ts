import type { JsonObject } from "./webhook_json.ts";

/** A message of each kind as Meta documents it, and what the API tells of it. */
export interface InboundExample {
  type: string;
  /** What stands beside id, from and timestamp in `messages[]`. */
  sent: JsonObject;
  told: JsonObject;
  /** The type told, where it is another. */
  toldType?: string;
}

const context = { from: "15550783881", id: "wamid.of-our-message" };
const file = {
  id: "1003383421387256",
  mime_type: "image/jpeg",
  sha256: "SfInY0gGKTsJlUWbwxC1k+FAD0",
};
const url = "https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1";

function same(type: string, sent: JsonObject): InboundExample {
  return { type, sent, told: sent };
}

/** https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages (2026-09) */
export const INBOUND_EXAMPLES: Readonly<Record<string, InboundExample>> = {
  text: same("text", { text: { body: "Does it come in another color?" } }),
  reply: same("text", { context, text: { body: "That one" } }),
  forwarded: same("text", { context: { forwarded: true }, text: { body: "Look" } }),
  "product enquiry": same("text", {
    context: { ...context, referred_product: { catalog_id: "1", product_retailer_id: "sku" } },
    text: { body: "Is this available?" },
  }),
  "from an ad": same("text", {
    text: { body: "I want this" },
    referral: {
      source_url: "https://fb.me/3cr4Wqqkv",
      source_id: "120226305854810726",
      source_type: "ad",
      headline: "Chat with us",
      body: "Summer succulents are here!",
      media_type: "image",
      ctwa_clid: "Aff-n8ZTODiE79d22KtAwQKj9e",
      welcome_message: { text: "Hi there!" },
    },
  }),
  image: {
    type: "image",
    sent: { image: { ...file, caption: "Taj Mahal", url } },
    told: { image: { ...file, caption: "Taj Mahal" } },
  },
  video: same("video", { video: { ...file, mime_type: "video/mp4" } }),
  audio: same("audio", {
    audio: { ...file, mime_type: "audio/ogg; codecs=opus", voice: true },
  }),
  document: same("document", {
    document: { ...file, mime_type: "application/pdf", filename: "offer.pdf" },
  }),
  sticker: same("sticker", { sticker: { ...file, mime_type: "image/webp", animated: false } }),
  "file that Meta could not take over": same("document", {
    document: { filename: "film.mkv" },
    errors: [{ code: 131052, title: "Media download error" }],
  }),
  location: same("location", {
    location: {
      latitude: 37.44211676562361,
      longitude: -122.1615,
      name: "Cafe",
      address: "Palo Alto",
    },
  }),
  contacts: same("contacts", {
    contacts: [{
      name: { formatted_name: "Barbara J. Johnson", first_name: "Barbara" },
      phones: [{ phone: "+1 415-555-0829", wa_id: "14155550829", type: "MOBILE" }],
    }],
  }),
  "button reply": same("interactive", {
    context,
    interactive: { type: "button_reply", button_reply: { id: "cancel-button", title: "Cancel" } },
  }),
  "list reply": same("interactive", {
    context,
    interactive: {
      type: "list_reply",
      list_reply: {
        id: "priority_express",
        title: "Priority Mail Express",
        description: "1–2 days",
      },
    },
  }),
  "flow reply": {
    type: "interactive",
    sent: {
      context,
      interactive: {
        type: "nfm_reply",
        nfm_reply: { name: "flow", body: "Sent", response_json: '{"flow_token":"t","size":"L"}' },
      },
    },
    told: {
      context,
      interactive: {
        type: "nfm_reply",
        nfm_reply: {
          name: "flow",
          body: "Sent",
          response_json: '{"flow_token":"t","size":"L"}',
          response: { flow_token: "t", size: "L" },
        },
      },
    },
  },
  "call permission reply": same("interactive", {
    interactive: {
      type: "call_permission_reply",
      call_permission_reply: { response: "accept", expiration_timestamp: "1750116480" },
    },
  }),
  button: same("button", { context, button: { payload: "Unsubscribe", text: "Unsubscribe" } }),
  reaction: same("reaction", { reaction: { message_id: "wamid.of-our-message", emoji: "👍" } }),
  "reaction taken back": {
    type: "reaction",
    sent: { reaction: { message_id: "wamid.of-our-message" } },
    told: { reaction: { message_id: "wamid.of-our-message", emoji: null } },
  },
  order: {
    type: "order",
    sent: {
      order: {
        catalog_id: "194836987003835",
        text: "Love these!",
        product_items: [
          { product_retailer_id: "di9ozbzfi4", quantity: 2, item_price: 30.5, currency: "USD" },
          { product_retailer_id: "nqryix03ez", quantity: "1", item_price: "25", currency: "USD" },
        ],
      },
    },
    told: {
      order: {
        catalog_id: "194836987003835",
        text: "Love these!",
        product_items: [
          { product_retailer_id: "di9ozbzfi4", quantity: 2, item_price: 30.5, currency: "USD" },
          { product_retailer_id: "nqryix03ez", quantity: 1, item_price: 25, currency: "USD" },
        ],
      },
    },
  },
  edit: {
    type: "edit",
    sent: {
      edit: {
        original_message_id: "wamid.before",
        message: { type: "image", image: { ...file, caption: "new words", url } },
      },
    },
    told: {
      edit: {
        original_message_id: "wamid.before",
        message: { type: "image", image: { ...file, caption: "new words" } },
      },
    },
  },
  revoke: same("revoke", { revoke: { original_message_id: "wamid.before" } }),
  unsupported: same("unsupported", {
    unsupported: { type: "poll_creation" },
    errors: [{ code: 131051, title: "Message type unknown" }],
  }),
  "unsupported without a word": {
    type: "unsupported",
    sent: { errors: [{ code: 131051, title: "Message type unknown" }] },
    told: { unsupported: {}, errors: [{ code: 131051, title: "Message type unknown" }] },
  },
  "type that nobody knows yet": same("hologram", { hologram: { rays: 7 } }),
  "text without its words": {
    type: "text",
    toldType: "unsupported",
    sent: { text: { body: 7 } },
    told: { unsupported: { type: "text" }, malformed: { text: { body: 7 } } },
  },
  "button reply without its button": {
    type: "interactive",
    toldType: "unsupported",
    sent: { interactive: { type: "button_reply" } },
    told: {
      unsupported: { type: "interactive" },
      malformed: { interactive: { type: "button_reply" } },
    },
  },
};

/** What happens to a customer's number or id: it comes without a contact. */
export const SYSTEM_EXAMPLE = same("system", {
  system: { type: "user_changed_number", body: "Ann changed number", wa_id: "15550200009" },
});
