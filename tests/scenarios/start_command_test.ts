import { strict as assert } from "node:assert";
import { fileURLToPath } from "node:url";

import { removePostgresFolder } from "../../local/postgres/folder.ts";
import { eventually } from "../support/eventually.ts";
import { findFreePorts } from "../support/free_ports.ts";

const repository = fileURLToPath(new URL("../../", import.meta.url));

interface Run {
  pid: number;
  printed(): string;
  ended: Promise<{ code: number; stderr: string }>;
}

/** Every process of one platform carries this, so that the ones left behind can be counted. */
const mark = `DENO_TEST_MARK=${crypto.randomUUID()}`;

function start(...args: string[]): Run {
  const [name = "", value = ""] = mark.split("=");
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "local/start.ts", ...args],
    cwd: repository,
    env: { [name]: value },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let stdout = "";
  let stderr = "";
  const drained = Promise.all([
    collect(child.stdout, (text) => stdout += text),
    collect(child.stderr, (text) => stderr += text),
  ]);
  const ended = child.status.then(async ({ code }) => {
    await drained;
    return { code, stderr };
  });
  return { pid: child.pid, printed: () => stdout, ended };
}

async function collect(stream: ReadableStream<Uint8Array>, add: (text: string) => void) {
  for await (const text of stream.pipeThrough(new TextDecoderStream())) add(text);
}

/** Resolves when it prints `ready`; throws what it said when it ends before. */
async function ready(run: Run): Promise<void> {
  const isReady = eventually(() => Promise.resolve(/^ready$/m.test(run.printed())), undefined, {
    timeoutMs: 90_000,
  });
  await Promise.race([
    isReady,
    run.ended.then(({ stderr }) => Promise.reject(new Error(`It ended: ${stderr}`))),
  ]);
}

/** The commands of this test's processes that run now. */
async function processesLeft(): Promise<string[]> {
  const found: string[] = [];
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const environment = await Deno.readTextFile(`/proc/${name}/environ`).catch(() => "");
    if (!environment.split("\0").includes(mark)) continue;
    found.push(await Deno.readTextFile(`/proc/${name}/cmdline`).catch(() => ""));
  }
  return found;
}

async function nothingLeft(): Promise<void> {
  if (Deno.build.os !== "linux") return; // there is no such list without root
  await eventually(processesLeft, (left) => left.length === 0);
}

async function readEnv(dir: string): Promise<Record<string, string>> {
  const text = await Deno.readTextFile(`${dir}/env`);
  return Object.fromEntries(text.trim().split("\n").map((line) => line.split(/=(.*)/s)));
}

function killIfRunning(run: Run): void {
  try {
    Deno.kill(run.pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

async function removeFolder(dir: string): Promise<void> {
  // Where Postgres could not reach the folder, its data is elsewhere, behind a link.
  await removePostgresFolder(dir);
  await Deno.remove(dir, { recursive: true });
}

async function sh(script: string): Promise<string> {
  const { stdout, stderr } = await new Deno.Command("sh", {
    args: ["-c", script],
    cwd: "/",
    clearEnv: true,
    env: { PATH: Deno.env.get("PATH") ?? "" },
  }).output();
  return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}

Deno.test("deno task start", async (t) => {
  const dir = await Deno.makeTempDir({ prefix: "switchyard start '1' " });
  const port = String(findFreePorts(4));
  const flags = ["--port", port, "--dir", dir];
  let secretKey = "";
  let commands: string[] = [];
  let sentId = "";

  let run = start(...flags);
  try {
    await t.step("says ready and writes an env file that only the owner reads", async () => {
      await ready(run);
      const env = await readEnv(dir);
      secretKey = env.SUPABASE_SECRET_KEY ?? "";
      assert.equal(env.SUPABASE_URL, `http://127.0.0.1:${port}`);
      assert.equal(env.CONSOLE_URL, `http://127.0.0.1:${Number(port) + 2}`);
      assert.equal(((await Deno.stat(`${dir}/env`)).mode ?? 0) & 0o777, 0o600);
    });

    await t.step("is well when it says so", async () => {
      const response = await fetch(`http://127.0.0.1:${port}/functions/v1/health`);
      assert.deepEqual(await response.json(), { status: "ok" });
    });

    await t.step("prints three commands that work when pasted", async () => {
      commands = run.printed().split("\n").filter((line) => line.startsWith(". "));
      const [send = "", read = "", answer = ""] = commands;
      assert.equal(commands.length, 3);
      sentId = JSON.parse(await sh(send)).id;
      await eventually(
        async () => JSON.parse(await sh(read)),
        (message) =>
          message.id === sentId && message.status === "read" && message.timeline.length === 5,
      );
      assert.match(await sh(answer), /"message_id":"wamid\./);
    });

    await t.step("shows the console", async () => {
      const response = await fetch(`http://127.0.0.1:${Number(port) + 2}/`);
      assert.match(await response.text(), /<title>Switchyard console<\/title>/);
    });

    await t.step("refuses a folder and ports that it uses already", async () => {
      const second = await start("--port", String(findFreePorts(4)), "--dir", dir).ended;
      assert.equal(second.code, 1);
      assert.match(second.stderr, /^Another platform runs in .*--dir\.\n$/);
      const elsewhere = await Deno.makeTempDir();
      const third = await start("--port", port, "--dir", elsewhere).ended;
      assert.equal(third.code, 1);
      assert.match(third.stderr, /^Port \d+ \(API\) is taken: .*--port.*\.\n$/);
      await Deno.remove(elsewhere, { recursive: true });
    });

    await t.step("leaves nothing running when it is killed with -9", async () => {
      Deno.kill(run.pid, "SIGKILL");
      await run.ended;
      await nothingLeft();
    });

    await t.step("recovers by itself, with its keys and its data", async () => {
      run = start(...flags);
      await ready(run);
      const { SUPABASE_SECRET_KEY, SWITCHYARD_DEMO_API_KEY } = await readEnv(dir);
      assert.equal(SUPABASE_SECRET_KEY, secretKey);
      // Not the newest message: the bot's answer to the customer was perhaps just being sent.
      const url = `http://127.0.0.1:${port}/functions/v1/wa-messages/${sentId}`;
      const headers = { authorization: `Bearer ${SWITCHYARD_DEMO_API_KEY}` };
      assert.equal((await (await fetch(url, { headers })).json()).status, "read");
    });

    await t.step("restarts a function that is killed", async () => {
      const processes = JSON.parse(await Deno.readTextFile(`${dir}/processes.json`));
      const { pid } = processes.find(({ name }: { name: string }) => name === "health");
      Deno.kill(pid, "SIGKILL");
      await eventually(async () => {
        const response = await fetch(`http://127.0.0.1:${port}/functions/v1/health`);
        await response.body?.cancel();
        return response.ok;
      });
    });

    await t.step("stops everything at Ctrl-C and keeps the data", async () => {
      Deno.kill(run.pid, "SIGINT");
      assert.equal((await run.ended).code, 0);
      await nothingLeft();
      await Deno.stat(`${dir}/postgres`);
    });

    await t.step("stops while it still starts", async () => {
      run = start(...flags);
      await eventually(() => Promise.resolve(run.printed().includes("Upstash REST")));
      Deno.kill(run.pid, "SIGTERM");
      assert.equal((await run.ended).code, 0);
      await nothingLeft();
    });
  } finally {
    killIfRunning(run);
    await run.ended;
    await removeFolder(dir);
  }
});

const refusals: [title: string, args: string[], reason: RegExp][] = [
  ["an unknown flag", ["--prot", "1"], /^Unknown option '--prot': run .*--help.*\.\n$/],
  ["a bad value", ["--port", "high"], /^--port high is no port: .*\.\n$/],
  ["a folder that cannot be made", ["--dir", "/dev/null/x"], /^Cannot write to .*--dir\.\n$/],
];
for (const [title, args, reason] of refusals) {
  Deno.test(`deno task start refuses ${title} in one sentence`, async () => {
    const { code, stderr } = await start(...args).ended;
    assert.equal(code, 1);
    assert.match(stderr, reason);
  });
}
