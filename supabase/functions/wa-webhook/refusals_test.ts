import { strict as assert } from "node:assert";
import type { Fields, Log } from "../_shared/telemetry/log.ts";
import { createRefusalReport } from "./refusals.ts";

Deno.test("refusals are logged once an interval with how many there were", () => {
  const lines: [event: string, fields: Fields | undefined][] = [];
  const note = (event: string, fields?: Fields) => void lines.push([event, fields]);
  const log: Log = { info: note, warn: note, error: note, with: () => log };
  let time = 1_000_000;
  const report = createRefusalReport({ intervalMs: 10_000, now: () => time });
  const refuse = (event: string, times: number) => {
    for (let index = 0; index < times; index++) report(event, log);
  };

  refuse("webhook.signature_refused", 500);
  refuse("webhook.handshake_refused", 1);
  time += 9_999;
  refuse("webhook.signature_refused", 1);
  time += 1;
  refuse("webhook.signature_refused", 2);
  assert.deepEqual(lines, [
    ["webhook.signature_refused", { refused: 1 }],
    ["webhook.handshake_refused", { refused: 1 }],
    ["webhook.signature_refused", { refused: 501 }],
  ]);
});
