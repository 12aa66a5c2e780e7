import type { Connection } from "../_shared/runtime.ts";

/** What of an answer decides; its body is read and forgotten. */
export interface Answer {
  status: number;
  retryAfter: string | null;
}

/** The other side closed early, or does not speak HTTP. */
export class ExchangeError extends Error {
  override name = "ExchangeError";
  constructor(readonly reason: "connection_closed" | "not_http") {
    super(`Cannot read the answer: ${reason}`);
  }
}

export const MAX_HEAD_BYTES = 16_384;
export const MAX_BODY_BYTES = 65_536;
const CHUNK_BYTES = 16_384;
const STATUS_LINE = /^HTTP\/1\.[01] ([1-5]\d\d)( .*)?$/;

/** A POST as it goes over a connection of its own. */
export function requestBytes(
  target: URL,
  headers: Record<string, string>,
  body: string,
): Uint8Array {
  const content = new TextEncoder().encode(body);
  const lines = [
    `POST ${target.pathname}${target.search} HTTP/1.1`,
    `host: ${target.host}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    `content-length: ${content.length}`,
    "connection: close",
    "",
    "",
  ];
  const head = new TextEncoder().encode(lines.join("\r\n"));
  const bytes = new Uint8Array(head.length + content.length);
  bytes.set(head);
  bytes.set(content, head.length);
  return bytes;
}

/**
 * Sends a request and reads the head of its answer. Interim answers (1xx) are passed over; redirects
 * are answers as any other.
 */
export async function exchange(connection: Connection, request: Uint8Array): Promise<Answer> {
  for (let sent = 0; sent < request.length;) {
    sent += await connection.write(request.subarray(sent));
  }
  let received = "";
  while (true) {
    const end = received.indexOf("\r\n\r\n");
    if (end === -1) {
      if (received.length > MAX_HEAD_BYTES) throw new ExchangeError("not_http");
      received += await readText(connection);
      continue;
    }
    const answer = parseHead(received.slice(0, end));
    if (answer.status >= 200) return answer;
    received = received.slice(end + 4);
  }
}

/** Reads what is left of an answer, up to 64 KiB, so that who writes it is not cut off. */
export async function discardRest(connection: Connection): Promise<void> {
  const chunk = new Uint8Array(CHUNK_BYTES);
  for (let read = 0; read < MAX_BODY_BYTES;) {
    const length = await connection.read(chunk);
    if (length === null) return;
    read += length;
  }
}

// Latin-1: a head is bytes, of which only ASCII means anything here.
async function readText(connection: Connection): Promise<string> {
  const chunk = new Uint8Array(CHUNK_BYTES);
  const length = await connection.read(chunk);
  if (length === null) throw new ExchangeError("connection_closed");
  return new TextDecoder("latin1").decode(chunk.subarray(0, length));
}

function parseHead(head: string): Answer {
  const [statusLine = "", ...fields] = head.split("\r\n");
  const status = STATUS_LINE.exec(statusLine)?.[1];
  if (status === undefined) throw new ExchangeError("not_http");
  const retryAfter = fields.find((field) => /^retry-after:/i.test(field));
  return {
    status: Number(status),
    retryAfter: retryAfter?.slice(retryAfter.indexOf(":") + 1).trim() ?? null,
  };
}
