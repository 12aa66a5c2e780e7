import { createHmac } from "node:crypto";

/** What a run of requests came to; latencies in milliseconds, in no order. */
export interface Load {
  perSecond: number;
  latenciesMs: number[];
}

const encoder = new TextEncoder();
let made = 0;

/** Signed webhooks of one status each, ready to be written to a socket; all are different. */
export function buildWebhooks(
  options: { count: number; secret: string; phoneNumberIds: string[]; path: string },
): Uint8Array[] {
  return Array.from({ length: options.count }, (_, index) => {
    const phoneNumberId = options.phoneNumberIds[index % options.phoneNumberIds.length]!;
    const body = bodyOf(phoneNumberId);
    const signature = createHmac("sha256", options.secret).update(body).digest("hex");
    return encoder.encode(
      `POST ${options.path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n` +
        `x-hub-signature-256: sha256=${signature}\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
  });
}

// As Meta sends it since v24, about 600 bytes.
function bodyOf(phone_number_id: string): string {
  made += 1;
  const customer = `1555${String(made).padStart(9, "0")}`;
  const status = {
    id: `wamid.HBgLMTU1NTAyMDAwMDEVAgARGBI5QTNDQTVCM0Q0Q0Q2RTY3RTcA${made}`,
    status: "delivered",
    timestamp: "1763812800",
    recipient_id: customer,
    pricing: { billable: true, pricing_model: "PMP", type: "regular", category: "utility" },
  };
  const value = {
    messaging_product: "whatsapp",
    metadata: { display_phone_number: "15550100001", phone_number_id },
    contacts: [{ profile: { name: "Ann" }, wa_id: customer }],
    statuses: [status],
  };
  const changes = [{ value, field: "messages" }];
  return JSON.stringify({
    object: "whatsapp_business_account",
    entry: [{ id: phone_number_id, changes }],
  });
}

/** Sends all requests over so many connections, each as soon as its connection is free. */
export function sendAll(url: string, requests: Uint8Array[], connections: number): Promise<Load> {
  return send(url, requests, connections, () => 0);
}

/** Sends them at a rate, whether or not earlier ones were answered; latency counts from the plan. */
export function sendAtRate(
  url: string,
  requests: Uint8Array[],
  options: { perSecond: number; connections: number },
): Promise<Load> {
  return send(url, requests, options.connections, (nth) => nth * 1_000 / options.perSecond);
}

async function send(
  url: string,
  requests: Uint8Array[],
  connections: number,
  dueAfterMs: (nth: number) => number,
): Promise<Load> {
  const { hostname, port } = new URL(url);
  const latenciesMs: number[] = [];
  const sockets = await Promise.all(
    Array.from({ length: connections }, () => Deno.connect({ hostname, port: Number(port) })),
  );
  let next = 0;
  const startedAt = performance.now();
  await Promise.all(sockets.map(async (socket) => {
    const buffer = new Uint8Array(4_096);
    while (next < requests.length) {
      const nth = next++;
      const dueAt = startedAt + dueAfterMs(nth);
      const waitMs = dueAt - performance.now();
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
      const sentAt = dueAfterMs(nth) === 0 ? performance.now() : dueAt;
      await writeAll(socket, requests[nth]!);
      await expectOk(socket, buffer);
      latenciesMs.push(performance.now() - sentAt);
    }
  }));
  const seconds = (performance.now() - startedAt) / 1_000;
  for (const socket of sockets) socket.close();
  return { perSecond: requests.length / seconds, latenciesMs };
}

async function writeAll(socket: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    written += await socket.write(bytes.subarray(written));
  }
}

const decoder = new TextDecoder();

// Answers have no body, and so end with their head.
async function expectOk(socket: Deno.Conn, buffer: Uint8Array): Promise<void> {
  let read = 0;
  while (true) {
    const more = await socket.read(buffer.subarray(read));
    if (more === null) throw new Error("The server closed the connection");
    read += more;
    const isWhole = buffer[read - 4] === 13 && buffer[read - 3] === 10 && buffer[read - 2] === 13 &&
      buffer[read - 1] === 10;
    if (isWhole) break;
  }
  // "HTTP/1.1 200": the status begins at the ninth byte.
  if (buffer[9] !== 50) throw new Error(decoder.decode(buffer.subarray(0, read)));
}
