import { Buffer } from "node:buffer";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Answer } from "./graph/answer.ts";

/** The whole body as text. */
export async function readText(incoming: IncomingMessage): Promise<string> {
  return (await readBytes(incoming)).toString("utf8");
}

function readBytes(incoming: IncomingMessage): Promise<Buffer<ArrayBuffer>> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    incoming.on("end", () => resolve(Buffer.concat(chunks)));
    incoming.on("error", reject);
  });
}

/** The call as a `Request` for the routes. */
export async function toRequest(incoming: IncomingMessage): Promise<Request> {
  const headers = new Headers();
  for (let index = 0; index < incoming.rawHeaders.length; index += 2) {
    headers.append(incoming.rawHeaders[index] ?? "", incoming.rawHeaders[index + 1] ?? "");
  }
  const url = `http://${incoming.headers.host ?? "127.0.0.1"}${incoming.url ?? "/"}`;
  const method = incoming.method ?? "GET";
  if (method === "GET" || method === "HEAD") return new Request(url, { method, headers });
  return new Request(url, { method, headers, body: await readBytes(incoming) });
}

/** Writes an answer of the sending path, or breaks the connection where it says so. */
export function writeAnswer(
  outgoing: ServerResponse,
  answer: Answer,
  headers: Record<string, string>,
): void {
  switch (answer.kind) {
    case "json":
    case "page":
      outgoing.writeHead(answer.status, { ...headers, "content-type": contentTypes[answer.kind] });
      outgoing.end(answer.text);
      return;
    case "closed":
      outgoing.socket?.destroy();
      return;
    case "cut":
      outgoing.writeHead(200, {
        "content-type": contentTypes.json,
        "content-length": answer.length,
      });
      outgoing.write(answer.text, () => outgoing.socket?.destroy());
  }
}

const contentTypes = {
  json: "application/json; charset=UTF-8",
  page: "text/html; charset=utf-8",
};

/** Streams a response, and stops its source when the client goes away. */
export async function writeResponse(outgoing: ServerResponse, response: Response): Promise<void> {
  if (response.type === "error") return void outgoing.socket?.destroy();
  outgoing.writeHead(response.status, Object.fromEntries(response.headers));
  const reader = response.body?.getReader();
  outgoing.on("close", () => void reader?.cancel().catch(() => {}));
  while (reader !== undefined) {
    const { done, value } = await reader.read();
    if (done) break;
    outgoing.write(value);
  }
  outgoing.end();
}

/** Ends the server and every connection to it. */
export function closeAll(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
