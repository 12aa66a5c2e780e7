/** A program of a benchmark that reports in lines and ends when its input does. */
export interface Program extends AsyncDisposable {
  readonly pid: number;
  /** The next line that it prints; throws what it complained of when it ends instead. */
  line(): Promise<string>;
  tell(line: string): Promise<void>;
}

const GRACE_MS = 3_000;

/** Starts a program; for `await using`, which ends it. */
export function startProgram(options: {
  command: string;
  args: string[];
  env?: Record<string, string>;
}): Program {
  const child = new Deno.Command(options.command, {
    args: options.args,
    env: options.env ?? {},
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const lines = readLines(child.stdout);
  const complaint = new Response(child.stderr).text();
  const input = child.stdin.getWriter();
  let ended = false;
  const exited = child.status.then(() => ended = true);
  return {
    pid: child.pid,
    async line() {
      const { value, done } = await lines.next();
      if (done) throw new Error(`${options.args.join(" ")} ended: ${(await complaint).trim()}`);
      return value;
    },
    tell: (line) => input.write(new TextEncoder().encode(`${line}\n`)),
    async [Symbol.asyncDispose]() {
      const kill = (signal: Deno.Signal) => ended || child.kill(signal);
      kill("SIGTERM");
      const killer = setTimeout(kill, GRACE_MS, "SIGKILL");
      await exited;
      clearTimeout(killer);
      await input.close().catch(() => {});
      await lines.return(undefined);
    },
  };
}

async function* readLines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, undefined> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + text).split("\n");
    rest = parts.pop() ?? "";
    yield* parts;
  }
  return undefined;
}
