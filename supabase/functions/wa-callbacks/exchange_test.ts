import { strict as assert } from "node:assert";
import type { Connection } from "../_shared/runtime.ts";
import {
  discardRest,
  exchange,
  ExchangeError,
  MAX_BODY_BYTES,
  MAX_HEAD_BYTES,
  requestBytes,
} from "./exchange.ts";

const REQUEST = requestBytes(
  new URL("https://example.com:8443/a/b?c=d"),
  { "x-a": "1" },
  '{"ü":1}',
);

/** The other side says these pieces, then closes; written bytes are kept. */
function peer(...pieces: string[]) {
  const written: number[] = [];
  const left = pieces.map((piece) => new TextEncoder().encode(piece));
  let bytesRead = 0;
  const connection: Connection = {
    read(into) {
      const piece = left.shift();
      if (piece === undefined) return Promise.resolve(null);
      into.set(piece.subarray(0, into.length));
      if (piece.length > into.length) left.unshift(piece.subarray(into.length));
      bytesRead += Math.min(piece.length, into.length);
      return Promise.resolve(Math.min(piece.length, into.length));
    },
    // Never more than ten bytes at once.
    write(bytes) {
      written.push(...bytes.subarray(0, 10));
      return Promise.resolve(Math.min(bytes.length, 10));
    },
    close() {},
  };
  return {
    connection,
    said: () => new TextDecoder().decode(new Uint8Array(written)),
    bytesRead: () => bytesRead,
  };
}

function reason(expected: string) {
  return (error: unknown) => error instanceof ExchangeError && error.reason === expected;
}

Deno.test("exchange() sends the whole request, with host, path and the length in bytes", async () => {
  const { connection, said } = peer("HTTP/1.1 204 No Content\r\n\r\n");
  await exchange(connection, REQUEST);
  assert.equal(
    said(),
    "POST /a/b?c=d HTTP/1.1\r\nhost: example.com:8443\r\nx-a: 1\r\ncontent-length: 8\r\n" +
      'connection: close\r\n\r\n{"ü":1}',
  );
});

for (
  const [what, pieces, expected] of [
    ["a plain answer", ["HTTP/1.1 200 OK\r\n\r\nfine"], 200],
    ["an answer without a reason", ["HTTP/1.0 500\r\n\r\n"], 500],
    ["a redirect, which is an answer", ["HTTP/1.1 302 Found\r\nlocation: /x\r\n\r\n"], 302],
    ["an answer in pieces", ["HTT", "P/1.1 20", "1 Created\r\n", "\r", "\nrest"], 201],
    [
      "an answer after interim ones",
      [
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n",
        "HTTP/1.1 202 Ok\r\n\r\n",
      ],
      202,
    ],
  ] as [string, string[], number][]
) {
  Deno.test(`exchange() reads ${what}`, async () => {
    assert.equal((await exchange(peer(...pieces).connection, REQUEST)).status, expected);
  });
}

Deno.test("exchange() hands on for how long the receiver wants to be left alone", async () => {
  const { connection } = peer("HTTP/1.1 429 Slow\r\nX-A: 1\r\nRetry-After:  120 \r\n\r\n");
  assert.deepEqual(await exchange(connection, REQUEST), { status: 429, retryAfter: "120" });
});

for (
  const [what, text, expected] of [
    ["nothing", "", "connection_closed"],
    ["half a head", "HTTP/1.1 200 OK\r\n", "connection_closed"],
    ["another protocol", "SSH-2.0-OpenSSH_9.2\r\n\r\n", "not_http"],
    ["a status that is none", "HTTP/1.1 700 Odd\r\n\r\n", "not_http"],
    ["an endless head", `HTTP/1.1 200 OK\r\n${"x".repeat(MAX_HEAD_BYTES)}`, "not_http"],
  ] as [string, string, string][]
) {
  Deno.test(`exchange() refuses ${what}`, async () => {
    await assert.rejects(exchange(peer(text).connection, REQUEST), reason(expected));
  });
}

Deno.test("discardRest() reads what is left, and not much more than 64 KiB of what never ends", async () => {
  const short = peer("rest");
  await discardRest(short.connection);
  assert.equal(short.bytesRead(), 4);
  const endless = peer("x".repeat(10 * MAX_BODY_BYTES));
  await discardRest(endless.connection);
  assert.equal(endless.bytesRead(), MAX_BODY_BYTES);
});
