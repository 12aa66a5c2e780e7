import { strict as assert } from "node:assert";
import { isAlarming, openLogFile } from "./log.ts";

async function inFolder(test: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "switchyard-" });
  try {
    await test(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

Deno.test("LogFile.write() keeps the order and what an earlier run wrote", async () => {
  await inFolder(async (dir) => {
    for (const run of ["first", "second"]) {
      const log = await openLogFile(`${dir}/wallet.log`);
      for (const line of ["one", "two", "three"]) log.write(`${run} ${line}`);
      await log.close();
    }
    const text = await Deno.readTextFile(`${dir}/wallet.log`);
    const lines = ["first one", "first two", "first three", "second one", "second two"];
    assert.equal(text, [...lines, "second three", ""].join("\n"));
  });
});

Deno.test("LogFile.write() turns over a file that is full and keeps one before it", async () => {
  await inFolder(async (dir) => {
    for (const line of ["1".repeat(60), "2".repeat(60), "3".repeat(60)]) {
      const log = await openLogFile(`${dir}/wallet.log`, 100);
      log.write(line);
      await log.close();
    }
    const read = (name: string) => Deno.readTextFileSync(`${dir}/${name}`);
    assert.deepEqual([read("wallet.log")[0], read("wallet.log.1")[0]], ["3", "2"]);
  });
});

const lines: [line: string, alarming: boolean][] = [
  [`{"timestamp":"…","level":"INFO","event":"request.answered"}`, false],
  [`{"timestamp":"…","level":"INFO","event":"x","note":"error"}`, false],
  [`{"timestamp":"…","level":"WARN","event":"send.attempted"}`, true],
  [`{"timestamp":"…","level":"ERROR","event":"drain.stopped"}`, true],
  ["Download https://registry.example/zod", false],
  ["error: Uncaught (in promise) ConfigError: Cannot read the configuration", true],
  ["TypeError: x is not a function", true],
  ["    at file:///index.ts:1:1", false],
];

for (const [line, alarming] of lines) {
  Deno.test(`isAlarming() is ${alarming} for ${line.slice(0, 60)}`, () => {
    assert.equal(isAlarming(line), alarming);
  });
}
