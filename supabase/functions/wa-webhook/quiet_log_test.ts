import { strict as assert } from "node:assert";
import { createLog } from "../_shared/telemetry/log.ts";
import { createQuietLog } from "./quiet_log.ts";

function setup() {
  const lines: Record<string, unknown>[] = [];
  const write = (line: string) => void lines.push(JSON.parse(line));
  const log = createQuietLog(createLog({ write, now: () => 0, fields: { service: "s" } }));
  return { lines, log: log.with({ request_id: "r" }) };
}

Deno.test("a webhook that was stored has no line of its own", () => {
  const { lines, log } = setup();
  log.info("request.answered", { method: "POST", status: 200 });
  assert.deepEqual(lines, []);
});

Deno.test("every other answer and event is logged with the request's id", () => {
  const { lines, log } = setup();
  log.info("request.answered", { method: "POST", status: 503 });
  log.info("request.answered", { method: "GET", status: 200 });
  log.info("events.stored", { requests: 1 });
  log.warn("webhook.signature_refused");
  log.error("request.failed");
  assert.deepEqual(lines.map(({ event, request_id }) => [event, request_id]), [
    ["request.answered", "r"],
    ["request.answered", "r"],
    ["events.stored", "r"],
    ["webhook.signature_refused", "r"],
    ["request.failed", "r"],
  ]);
  assert.equal(lines[0]!.service, "s");
});
