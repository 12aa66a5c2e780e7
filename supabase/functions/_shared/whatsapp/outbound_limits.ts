/** A limit of Meta's send API: at most (and, where given, at least) this much, and where it says so. */
export interface Limit {
  min?: number;
  max: number;
  page: string;
}

const PLATFORM = "https://developers.facebook.com/documentation/business-messaging/whatsapp";
const messagePage = (name: string) => `${PLATFORM}/messages/${name}`;
const BUTTONS = messagePage("interactive-reply-buttons-messages");
const LISTS = messagePage("interactive-list-messages");
const LINKS = messagePage("interactive-cta-url-messages");
const FLOWS = messagePage("interactive-flow-messages");
const CAROUSELS = messagePage("interactive-media-carousel-messages");
const PRODUCTS = `${PLATFORM}/catalogs/sell-products-and-services/share-products`;
const TEMPLATES = `${PLATFORM}/templates/components`;

/** Every limit that is checked before a message is accepted, in Meta's words, as of 2026-11-22. */
export const LIMITS = {
  text_body: { max: 4_096, page: messagePage("text-messages") },
  media_caption: { max: 1_024, page: messagePage("image-messages") },
  contacts: { min: 1, max: 257, page: messagePage("contacts-messages") },

  header_text: { max: 60, page: BUTTONS },
  footer_text: { max: 60, page: BUTTONS },
  interactive_body: { max: 1_024, page: BUTTONS },
  reply_buttons: { min: 1, max: 3, page: BUTTONS },
  reply_id: { max: 256, page: BUTTONS },
  reply_title: { max: 20, page: BUTTONS },

  list_body: { max: 4_096, page: LISTS },
  list_button: { max: 20, page: LISTS },
  list_sections: { min: 1, max: 10, page: LISTS },
  section_title: { max: 24, page: LISTS },
  list_rows: { max: 10, page: LISTS },
  row_id: { max: 200, page: LISTS },
  row_title: { max: 24, page: LISTS },
  row_description: { max: 72, page: LISTS },

  link_text: { max: 20, page: LINKS },
  // Third parties say 20 or 30, and Meta's page was not to be had: the lower one is safe.
  flow_button: { max: 20, page: FLOWS },

  product_sections: { min: 1, max: 10, page: PRODUCTS },
  products: { max: 30, page: PRODUCTS },

  carousel_cards: { min: 2, max: 10, page: CAROUSELS },
  card_body: { max: 160, page: CAROUSELS },
  card_line_breaks: { max: 2, page: CAROUSELS },
  card_button_id: { max: 20, page: CAROUSELS },
  card_button_title: { max: 20, page: CAROUSELS },

  template_name: { max: 512, page: TEMPLATES },
  template_header: { max: 60, page: TEMPLATES },
  template_body: { max: 1_024, page: TEMPLATES },
  template_buttons: { max: 10, page: TEMPLATES },
  template_cards: { min: 1, max: 10, page: TEMPLATES },
  template_url: { max: 2_000, page: TEMPLATES },
  coupon_code: { max: 15, page: TEMPLATES },
} as const satisfies Record<string, Limit>;
