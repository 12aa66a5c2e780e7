import type { ChatEvent, Chats } from "./chats.ts";

/** A comment line now and then keeps proxies and browsers from giving up on a quiet stream. */
const HELLO = ": hello\n\n";

/** The live changes of one phone as server-sent events, until the page goes away. */
export function phoneEvents(chats: Chats, customer: string): Response {
  const encoder = new TextEncoder();
  let stopListening = () => {};
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      const write = (text: string) => controller.enqueue(encoder.encode(text));
      write(HELLO);
      stopListening = chats.listen(customer, (event) => write(eventText(event)));
    },
    cancel: () => stopListening(),
  });
  return new Response(body, {
    headers: { "content-type": "text/event-stream", "cache-control": "no-store" },
  });
}

function eventText(event: ChatEvent): string {
  return `data: ${JSON.stringify(event)}\n\n`;
}
