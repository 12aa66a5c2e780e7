import * as z from "zod";
import { freeForm, someText, text, webAddress } from "../fields.ts";
import { carousel } from "./outbound_carousel.ts";
import { catalogMessage, product, productList } from "./outbound_catalog.ts";
import {
  body,
  footer,
  header,
  textHeader,
  titledIfMany,
  unique,
} from "./outbound_interactive_parts.ts";
import { LIMITS } from "./outbound_limits.ts";

const replyButton = z.strictObject({
  type: z.literal("reply"),
  reply: z.strictObject({ id: text(LIMITS.reply_id.max), title: text(LIMITS.reply_title.max) }),
});
const replyButtons = z.array(replyButton)
  .min(LIMITS.reply_buttons.min).max(LIMITS.reply_buttons.max)
  .superRefine(unique((index) => [index, "reply", "title"], ({ reply }) => reply.title))
  .superRefine(unique((index) => [index, "reply", "id"], ({ reply }) => reply.id));

const buttons = z.strictObject({
  type: z.literal("button"),
  header: header.optional(),
  body,
  footer: footer.optional(),
  action: z.strictObject({ buttons: replyButtons }),
});

const row = z.strictObject({
  id: text(LIMITS.row_id.max),
  title: text(LIMITS.row_title.max),
  description: text(LIMITS.row_description.max).optional(),
});
const section = z.strictObject({
  title: text(LIMITS.section_title.max).optional(),
  rows: z.array(row).min(1),
});
const sections = z.array(section)
  .min(LIMITS.list_sections.min).max(LIMITS.list_sections.max)
  .superRefine(titledIfMany)
  .refine(
    (given) => given.flatMap(({ rows }) => rows).length <= LIMITS.list_rows.max,
    `have more than ${LIMITS.list_rows.max} rows together`,
  )
  .refine((given) => {
    const ids = given.flatMap(({ rows }) => rows.map(({ id }) => id));
    return new Set(ids).size === ids.length;
  }, "have rows with the same id");

const list = z.strictObject({
  type: z.literal("list"),
  header: textHeader.optional(),
  body: z.strictObject({ text: text(LIMITS.list_body.max) }),
  footer: footer.optional(),
  action: z.strictObject({ button: text(LIMITS.list_button.max), sections }),
});

const link = z.strictObject({
  type: z.literal("cta_url"),
  header: header.optional(),
  body,
  footer: footer.optional(),
  action: z.strictObject({
    name: z.literal("cta_url"),
    parameters: z.strictObject({ display_text: text(LIMITS.link_text.max), url: webAddress() }),
  }),
});

const flowParameters = z.strictObject({
  flow_message_version: z.literal("3"),
  flow_id: someText().optional(),
  flow_name: someText().optional(),
  flow_cta: text(LIMITS.flow_button.max),
  flow_token: someText().optional(),
  mode: z.enum(["published", "draft"]).optional(),
  flow_action: z.enum(["navigate", "data_exchange"]).optional(),
  flow_action_payload: z.strictObject({ screen: someText(), data: freeForm().optional() })
    .optional(),
}).refine(
  ({ flow_id, flow_name }) => (flow_id === undefined) !== (flow_name === undefined),
  "needs either flow_id or flow_name",
);
const flow = z.strictObject({
  type: z.literal("flow"),
  header: header.optional(),
  body,
  footer: footer.optional(),
  action: z.strictObject({ name: z.literal("flow"), parameters: flowParameters }),
});

const locationRequest = z.strictObject({
  type: z.literal("location_request_message"),
  body,
  action: z.strictObject({ name: z.literal("send_location") }),
});

// For businesses and people in India only; what the form holds is theirs to know.
const addressParameters = z.strictObject({
  country: z.literal("IN"),
  values: freeForm().optional(),
  saved_addresses: z.array(z.strictObject({ id: someText(), value: freeForm() })).optional(),
  validation_errors: freeForm().optional(),
});
const address = z.strictObject({
  type: z.literal("address_message"),
  header: header.optional(),
  body,
  footer: footer.optional(),
  action: z.strictObject({ name: z.literal("address_message"), parameters: addressParameters }),
});

const voiceCall = z.strictObject({
  type: z.literal("voice_call"),
  body,
  action: z.strictObject({
    name: z.literal("voice_call"),
    parameters: z.strictObject({
      display_text: text(LIMITS.link_text.max).optional(),
      ttl_minutes: z.int().positive().optional(),
      payload: someText().optional(),
    }).optional(),
  }),
});

const callPermission = z.strictObject({
  type: z.literal("call_permission_request"),
  body: body.optional(),
  action: z.strictObject({ name: z.literal("call_permission_request") }),
});

const contactRequest = z.strictObject({
  type: z.literal("request_contact_info"),
  body,
  action: z.strictObject({ name: z.literal("request_contact_info") }),
});

export const interactive = z.discriminatedUnion("type", [
  buttons,
  list,
  link,
  flow,
  product,
  productList,
  catalogMessage,
  locationRequest,
  address,
  carousel,
  voiceCall,
  callPermission,
  contactRequest,
]);
