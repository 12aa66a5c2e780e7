import type { BusinessNumber } from "./business_numbers.ts";

type Node = Record<string, unknown>;

/** A phone number as `GET /{phone_number_id}?fields=` shows it. */
export function numberNode(number: BusinessNumber, fields: string | undefined): Node {
  const isUpgraded = (number.throughputMps ?? 80) >= 1_000;
  const node = {
    verified_name: number.verifiedName,
    code_verification_status: "VERIFIED",
    display_phone_number: number.displayPhoneNumber,
    quality_rating: number.qualityRating,
    platform_type: "CLOUD_API",
    throughput: { level: isUpgraded ? "HIGH" : "STANDARD" },
    whatsapp_business_manager_messaging_limit: number.messagingLimit,
    status: number.registered ? "CONNECTED" : "DISCONNECTED",
    account_mode: "LIVE",
    health_status: healthOf(number),
    id: number.phoneNumberId,
  };
  return selectFields(node, fields, [
    "verified_name",
    "code_verification_status",
    "display_phone_number",
    "quality_rating",
    "platform_type",
    "throughput",
    "id",
  ]);
}

/** A business account, which is always well. */
export function accountNode(id: string): Node {
  return {
    id,
    name: `Account ${id.slice(-4)}`,
    health_status: { can_send_message: "AVAILABLE", entities: [entity("WABA", id, "AVAILABLE")] },
  };
}

/** The fields asked for, and always the id; the usual ones where none were named. */
export function selectFields(node: Node, fields: string | undefined, usual: string[]): Node {
  const asked = fields === undefined ? usual : [...fields.split(","), "id"];
  return Object.fromEntries(
    asked.map((field) => field.trim()).filter((field) => field in node)
      .map((field) => [field, node[field]]),
  );
}

function healthOf(number: BusinessNumber): Node {
  return {
    can_send_message: number.canSendMessage,
    entities: [
      entity("PHONE_NUMBER", number.phoneNumberId, number.canSendMessage),
      entity("WABA", number.businessAccountId, "AVAILABLE"),
      entity("BUSINESS", number.portfolioId, "AVAILABLE"),
      entity("APP", "1", "AVAILABLE"),
    ],
  };
}

function entity(type: string, id: string, canSend: string): Node {
  const known = { entity_type: type, id, can_send_message: canSend };
  if (canSend === "AVAILABLE") return known;
  if (canSend === "LIMITED") {
    return { ...known, additional_info: ["The display name is in review."] };
  }
  const error = {
    error_code: 141002,
    error_description: "The phone number cannot send messages.",
    possible_solution: "Look at the account in the manager.",
  };
  return { ...known, errors: [error] };
}
