import { judgeRun, type Totals } from "./totals.ts";

/** One `deno test` process: where its tests stand and what they may do. */
export interface TestGroup {
  title: string;
  paths: string[];
  permissions: string[];
  env?: Record<string, string>;
}

/** Runs one group to its end, its output shown as it comes, and returns its judged totals. */
export async function runTests(
  group: TestGroup,
  options: { cwd: string; filters: string[]; signal: AbortSignal },
): Promise<Totals> {
  const args = ["test", "--parallel", "--no-prompt", ...group.permissions, ...options.filters];
  const child = new Deno.Command(Deno.execPath(), {
    args: [...args, ...group.paths],
    cwd: options.cwd,
    env: group.env ?? {},
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
    signal: options.signal,
  }).spawn();
  const [output, status] = await Promise.all([showAndKeep(child.stdout), child.status]);
  return judgeRun(output, status.code);
}

async function showAndKeep(stream: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let tail = "";
  for await (const chunk of stream) {
    await writeAll(chunk);
    // The totals are at the end; keeping a tail bounds the memory of a very long run.
    tail = (tail + decoder.decode(chunk, { stream: true })).slice(-20_000);
  }
  return tail;
}

async function writeAll(chunk: Uint8Array): Promise<void> {
  for (let written = 0; written < chunk.length;) {
    written += await Deno.stdout.write(chunk.subarray(written));
  }
}
