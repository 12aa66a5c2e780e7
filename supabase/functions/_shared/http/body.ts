import type { Bytes } from "../bytes.ts";
import { problem } from "./problem.ts";

export type ReadBytes =
  | { ok: true; bytes: Bytes }
  | { ok: false; reason: "too_large" | "aborted" };

/** The whole body, reading no more than maxBytes whatever Content-Length claims. */
export async function readBytes(request: Request, maxBytes: number): Promise<ReadBytes> {
  if (Number(request.headers.get("content-length")) > maxBytes) {
    return { ok: false, reason: "too_large" };
  }
  if (request.body === null) return { ok: true, bytes: new Uint8Array() };
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of request.body) {
      size += chunk.byteLength;
      if (size > maxBytes) return { ok: false, reason: "too_large" };
      chunks.push(chunk);
    }
  } catch {
    return { ok: false, reason: "aborted" };
  }
  return { ok: true, bytes: join(chunks, size) };
}

export type ReadJson =
  | { ok: true; value: unknown; bytes: number }
  | { ok: false; response: Response };

/** The parsed body and its size, or the problem to answer: 413 over maxBytes, 400 when it is not JSON. */
export async function readJson(request: Request, maxBytes: number): Promise<ReadJson> {
  const read = await readBytes(request, maxBytes);
  if (!read.ok) return { ok: false, response: refuseBody(read.reason, maxBytes) };
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(read.bytes);
    return { ok: true, value: JSON.parse(text), bytes: read.bytes.length };
  } catch (error) {
    const detail = `The body must be JSON text in UTF-8${faultIn(read.bytes, error)}.`;
    return { ok: false, response: problem(400, "malformed_json", detail) };
  }
}

// The place alone: the runtime's own message quotes the body.
function faultIn(bytes: Bytes, error: unknown): string {
  if (bytes.length === 0) return ", and it is empty";
  const place = /line \d+ column \d+/.exec(error instanceof Error ? error.message : "")?.[0];
  return place === undefined ? "" : `: look at ${place}`;
}

function refuseBody(reason: "too_large" | "aborted", maxBytes: number): Response {
  return reason === "too_large"
    ? problem(413, "payload_too_large", `The body may have at most ${maxBytes} bytes.`, {
      max_bytes: maxBytes,
    })
    : problem(400, "malformed_request", "The body ended before it was complete.");
}

function join(chunks: Uint8Array[], size: number): Bytes {
  const bytes = new Uint8Array(size);
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return bytes;
}
