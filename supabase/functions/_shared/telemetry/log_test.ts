import { strict as assert } from "node:assert";
import { createLog } from "./log.ts";

function setup() {
  const lines: string[] = [];
  const log = createLog({
    write: (line) => lines.push(line),
    now: () => Date.parse("2026-11-22T04:00:00Z"),
    fields: { service: "wa-sender", version: "1.0.0" },
  });
  return { log, read: () => lines.map((line) => JSON.parse(line)) };
}

Deno.test("a log line is one JSON object with time, level, event and fields", () => {
  const { log, read } = setup();
  log.info("send.attempted", { tenant_id: "t", duration_ms: 25 });
  assert.deepEqual(read(), [{
    timestamp: "2026-11-22T04:00:00.000Z",
    level: "INFO",
    event: "send.attempted",
    service: "wa-sender",
    version: "1.0.0",
    tenant_id: "t",
    duration_ms: 25,
  }]);
});

Deno.test("a log made with fields writes them in every line", () => {
  const { log, read } = setup();
  const child = log.with({ request_id: "r" });
  child.warn("limit.exceeded");
  child.error("request.failed");
  assert.deepEqual(read().map(({ level, request_id }) => [level, request_id]), [
    ["WARN", "r"],
    ["ERROR", "r"],
  ]);
});

Deno.test("a log never writes a secret", () => {
  const { log, read } = setup();
  log.with({ access_token: "abc" }).info("send.attempted", { nested: { password: "abc" } });
  assert.doesNotMatch(JSON.stringify(read()), /abc/);
});

Deno.test("a log line too long for the platform keeps its event and drops its fields", () => {
  const { log, read } = setup();
  log.info("batch.claimed", { list: Array(40).fill("x".repeat(1_000)) });
  assert.deepEqual(read()[0], {
    timestamp: "2026-11-22T04:00:00.000Z",
    level: "INFO",
    event: "batch.claimed",
    service: "wa-sender",
    version: "1.0.0",
    dropped: "fields",
  });
});
