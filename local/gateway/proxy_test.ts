import { strict as assert } from "node:assert";
import type { FunctionAnswer } from "../functions/process.ts";
import { forward } from "./proxy.ts";

async function codeOf(find: () => Promise<FunctionAnswer>): Promise<[number, string | null]> {
  const request = new Request("http://127.0.0.1/functions/v1/wallet", {
    method: "POST",
    body: "{}",
  });
  const options = { path: "/wallet", find, clientAddress: "127.0.0.1", bootTimeoutMs: 5 };
  const response = await forward(request, options);
  await response.body?.cancel();
  return [response.status, response.headers.get("sb-error-code")];
}

Deno.test("forward() answers 503 when the process is gone: nothing was handed over", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const url = `http://127.0.0.1:${listener.addr.port}`;
  listener.close();
  const find = () => Promise.resolve<FunctionAnswer>({ kind: "ready", url });
  assert.deepEqual(await codeOf(find), [503, "SUPABASE_EDGE_RUNTIME_SERVICE_DEGRADED"]);
});

Deno.test("forward() answers 503 when no process starts in time", async () => {
  const find = () => new Promise<FunctionAnswer>(() => {});
  assert.deepEqual(await codeOf(find), [503, "BOOT_ERROR"]);
});
