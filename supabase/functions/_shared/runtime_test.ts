import { strict as assert } from "node:assert";
import { runtime } from "./runtime.ts";

Deno.test("runtime.sleep rejects with the reason of a signal aborted before", async () => {
  const stopped = AbortSignal.abort(new Error("stopped"));
  await assert.rejects(runtime.sleep(60_000, stopped), /stopped/);
});

Deno.test("runtime.sleep rejects with the reason of a signal aborted while waiting", async () => {
  const stop = new AbortController();
  const sleeping = runtime.sleep(60_000, stop.signal);
  stop.abort(new Error("stopped"));
  await assert.rejects(sleeping, /stopped/);
});

Deno.test("runtime.onShutdown tells why the platform ends the isolate", () => {
  const reasons: string[] = [];
  runtime.onShutdown((reason) => reasons.push(reason));
  dispatchEvent(new CustomEvent("beforeunload", { detail: { reason: "cpu" } }));
  dispatchEvent(new Event("beforeunload"));
  assert.deepEqual(reasons, ["cpu", "termination"]);
});
