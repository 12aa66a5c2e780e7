import type { BusinessNumber } from "./business_numbers.ts";
import type { Treatment } from "../script/treatment.ts";

/** A message that the Graph API has taken: what its statuses, its price and the phone need. */
export interface AcceptedMessage {
  readonly wamid: string;
  readonly number: BusinessNumber;
  /** The recipient's phone, or null where only a business-scoped user id is known. */
  readonly waId: string | null;
  readonly userId: string;
  readonly type: string;
  /** The category that Meta charges it as. */
  readonly category: string;
  readonly opaqueCallback: string | undefined;
  readonly acceptedAt: number;
  readonly treatment: Treatment;
  /** The price once a status has told it: later statuses repeat it. */
  price: Price | null;
  wasDelivered: boolean;
}

/** The `pricing` object of a status. */
export interface Price {
  billable: boolean;
  pricing_model: "PMP";
  type: string;
  category: string;
}
