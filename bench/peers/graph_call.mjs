/** The message of this number, the same for every contender. */
export function messageOf(number) {
  return {
    id: `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`,
    phone_number_id: String(100_000_000_000_000 + number % 100),
    to: `+1555${String(number).padStart(9, "0")}`,
    body: "Your parcel is on its way and arrives tomorrow.",
  };
}

/** Sends one message as Meta's API wants it, and throws unless it was accepted. */
export async function callGraph(graphUrl, { id, phone_number_id, to, body }) {
  const response = await fetch(`${graphUrl}/v25.0/${phone_number_id}/messages`, {
    method: "POST",
    headers: {
      authorization: `Bearer token-of-${phone_number_id}`,
      "content-type": "application/json",
    },
    body: JSON.stringify({
      messaging_product: "whatsapp",
      recipient_type: "individual",
      to,
      type: "text",
      text: { body },
      biz_opaque_callback_data: id,
    }),
  });
  const { messages } = await response.json();
  if (!messages?.[0]?.id) throw new Error(`Not accepted: HTTP ${response.status}`);
}
