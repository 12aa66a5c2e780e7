import { strict as assert } from "node:assert";
import { openLedger } from "./ledger.ts";
import { identifyProcess } from "./process.ts";

const tick = () => new Promise<void>((resolve) => setTimeout(resolve, 5));

function spawnSleeper(): Deno.ChildProcess {
  return new Deno.Command("sleep", { args: ["60"], stdin: "null" }).spawn();
}

async function inFolder(test: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "switchyard-" });
  try {
    await test(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** What a run killed with -9 leaves: its entries, and no lock. */
async function leaveBehind(dir: string, entries: unknown): Promise<void> {
  await Deno.writeTextFile(`${dir}/processes.json`, JSON.stringify(entries));
}

Deno.test("openLedger() ends the process that a killed run left behind", async () => {
  await inFolder(async (dir) => {
    const child = spawnSleeper();
    const identity = await identifyProcess(child.pid);
    await leaveBehind(dir, [{ name: "wallet", pid: child.pid, identity }]);
    const ledger = await openLedger(dir, tick);
    assert.equal((await child.status).signal, "SIGTERM");
    await ledger.close();
  });
});

Deno.test("openLedger() leaves alone a foreign process that has the number now", async () => {
  await inFolder(async (dir) => {
    const child = spawnSleeper();
    await leaveBehind(dir, [{ name: "wallet", pid: child.pid, identity: "an earlier start" }]);
    const ledger = await openLedger(dir, tick);
    assert.notEqual(await identifyProcess(child.pid), undefined);
    child.kill("SIGKILL");
    await child.status;
    await ledger.close();
  });
});

Deno.test("openLedger() refuses a folder that another run has", async () => {
  await inFolder(async (dir) => {
    const ledger = await openLedger(dir, tick);
    await assert.rejects(openLedger(dir, tick), /Another platform runs in .*: stop it, or pass/);
    await ledger.close();
    await (await openLedger(dir, tick)).close();
  });
});

Deno.test("openLedger() refuses a folder that cannot be made", async () => {
  await inFolder(async (dir) => {
    await Deno.writeTextFile(`${dir}/file`, "");
    await assert.rejects(openLedger(`${dir}/file/sub`, tick), /Cannot write to .*--dir\.$/);
  });
});

Deno.test("openLedger() starts afresh from entries cut short", async () => {
  await inFolder(async (dir) => {
    await Deno.writeTextFile(`${dir}/processes.json`, `[{"name": "wal`);
    await (await openLedger(dir, tick)).close();
  });
});

Deno.test("Ledger.enter() keeps the latest process of a name", async () => {
  await inFolder(async (dir) => {
    const [first, second] = [spawnSleeper(), spawnSleeper()];
    const ledger = await openLedger(dir, tick);
    await Promise.all([ledger.enter("wallet", first.pid), ledger.enter("health", first.pid)]);
    await ledger.enter("wallet", second.pid);
    const entries = JSON.parse(await Deno.readTextFile(`${dir}/processes.json`));
    assert.deepEqual(
      entries.map((entry: { name: string; pid: number }) => [entry.name, entry.pid]),
      [["health", first.pid], ["wallet", second.pid]],
    );
    for (const child of [first, second]) {
      child.kill("SIGKILL");
      await child.status;
    }
    await ledger.close();
  });
});
