import type { ClaimedMessage } from "../_shared/queue/outbound.ts";
import type { GraphClient } from "../_shared/whatsapp/graph_client.ts";
import { classifyGraphAnswer } from "../_shared/whatsapp/send_outcome.ts";
import type { SendOutcome } from "../_shared/whatsapp/send_outcome.ts";

/** One call to the Graph API for a claimed message, and what its answer means. */
export function createSend(
  client: GraphClient,
): (message: ClaimedMessage, accessToken: string) => Promise<SendOutcome> {
  return async ({ id, phoneNumberId, recipient, type, content, context }, accessToken) => {
    const message = { id, to: recipient, type, content, context };
    const answer = await client.sendMessage({ phoneNumberId, accessToken, message });
    return classifyGraphAnswer(answer, type);
  };
}
