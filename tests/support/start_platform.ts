import { fileURLToPath } from "node:url";
import { removePostgresFolder } from "../../local/postgres/folder.ts";
import { findFreePorts } from "./free_ports.ts";

const repository = fileURLToPath(new URL("../../", import.meta.url));
const startTimeoutMs = 120_000;

/** A platform of its own: real processes, ports and data, gone after `stop()`. */
export interface RunningPlatform {
  /** The file of `KEY=value` lines that `deno task start` wrote when it was ready. */
  envFile: string;
  dir: string;
  port: number;
  /** All that it printed so far, for the message of a failing test. */
  output(): string;
  /** Interrupts it as Ctrl-C does, waits for its end and deletes its data; returns its exit code. */
  stop(): Promise<number>;
}

/** Starts `deno task start` on free ports in a new folder and resolves when it says `ready`. */
export async function startPlatform(
  options: { args?: string[]; env?: Record<string, string>; signal?: AbortSignal } = {},
): Promise<RunningPlatform> {
  const dir = await Deno.makeTempDir({ prefix: "switchyard-" });
  const port = findFreePorts(4);
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "local/start.ts", `--port=${port}`, `--dir=${dir}`, ...options.args ?? []],
    cwd: repository,
    env: options.env ?? {},
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const printed: string[] = [];
  const drained = Promise.all([collect(child.stdout, printed), collect(child.stderr, printed)]);
  const output = () => printed.join("");

  async function stop(): Promise<number> {
    interrupt(child);
    const { code } = await child.status;
    await drained;
    await removePostgresFolder(dir);
    await Deno.remove(dir, { recursive: true });
    return code;
  }

  const envFile = `${dir}/env`;
  try {
    await waitUntilReady(envFile, child, options.signal);
  } catch (error) {
    await stop();
    throw new Error(`Cannot start the platform:\n${output()}`, { cause: error });
  }
  return { envFile, dir, port, output, stop };
}

async function waitUntilReady(
  envFile: string,
  child: Deno.ChildProcess,
  signal?: AbortSignal,
): Promise<void> {
  let ended = false;
  child.status.then(() => ended = true);
  const deadline = Date.now() + startTimeoutMs;
  while (!await exists(envFile)) {
    signal?.throwIfAborted();
    if (ended) throw new Error("it ended by itself");
    if (Date.now() > deadline) throw new Error(`not ready after ${startTimeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

function interrupt(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGINT");
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // it has already ended
  }
}

async function collect(stream: ReadableStream<Uint8Array>, printed: string[]): Promise<void> {
  for await (const text of stream.pipeThrough(new TextDecoderStream())) printed.push(text);
}
