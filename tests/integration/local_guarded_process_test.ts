import { strict as assert } from "node:assert";

import { spawnGuarded } from "../../local/guarded_process.ts";
import { eventually } from "../support/eventually.ts";

const module = new URL("../../local/guarded_process.ts", import.meta.url).href;
const STARTER = `
  import { spawnGuarded } from ${JSON.stringify(module)};
  const child = spawnGuarded({
    command: "sleep", args: ["600"], signalWhenOrphaned: "SIGTERM", onLine: () => {},
  });
  console.log(child.pid);
  await child.exited;`;

function isAlive(pid: number): boolean {
  try {
    Deno.kill(pid, "SIGCONT");
    return true;
  } catch {
    return false;
  }
}

Deno.test("a guarded process ends when its starter is killed with -9", async () => {
  const starter = new Deno.Command(Deno.execPath(), {
    args: ["eval", STARTER],
    stdout: "piped",
  }).spawn();
  const reader = starter.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const pid = Number((await reader.read()).value);
  assert.ok(isAlive(pid));
  starter.kill("SIGKILL");
  await starter.status;
  await reader.cancel();
  await eventually(() => Promise.resolve(!isAlive(pid)));
});

Deno.test("a guarded process that ignores the request to stop is killed after the grace", async () => {
  const ready = Promise.withResolvers<string>();
  const child = spawnGuarded({
    command: "sh",
    args: ["-c", "trap '' TERM; echo ready; while :; do sleep 0.01; done"],
    signalWhenOrphaned: "SIGKILL",
    onLine: ready.resolve,
  });
  await ready.promise;
  await child.stop("SIGTERM", 50);
  assert.equal((await child.exited).signal, "SIGKILL");
});
