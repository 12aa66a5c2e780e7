/** A child process that ends when this process does, even when this one is killed with -9. */
export interface GuardedProcess {
  readonly pid: number;
  readonly exited: Promise<Deno.CommandStatus>;
  /** Sends the signal; does nothing when the process has already ended. */
  signal(name: Deno.Signal): void;
  /** Asks the process to end, kills it after the grace period, and resolves when it is gone. */
  stop(name: Deno.Signal, graceMs: number): Promise<void>;
}

export interface GuardedCommand {
  command: string;
  args: string[];
  cwd?: string;
  env?: Record<string, string>;
  account?: { uid: number; gid: number } | undefined;
  /** Sent when this process disappears. */
  signalWhenOrphaned: Deno.Signal;
  onLine: (line: string) => void;
}

// The pipe on standard input closes when this process dies, however it dies. A watcher, twice
// forked so that the child never meets it in waitpid(), turns that into a signal.
const WATCHED = `exec 3<&0
((cat <&3 >/dev/null 2>&1; kill -s "$0" $$ 2>/dev/null) >/dev/null 2>&1 &)
exec 3<&- </dev/null
exec "$@"`;

/** Starts a command in a session of its own, so that Ctrl-C reaches only this process. */
export function spawnGuarded(options: GuardedCommand): GuardedProcess {
  const child = new Deno.Command("sh", {
    args: [
      "-c",
      WATCHED,
      options.signalWhenOrphaned.replace(/^SIG/, ""),
      options.command,
      ...options.args,
    ],
    ...(options.cwd && { cwd: options.cwd }),
    ...(options.env && { env: options.env }),
    ...options.account,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    detached: true,
  }).spawn();

  const lines = Promise.all([
    readLines(child.stdout, options.onLine),
    readLines(child.stderr, options.onLine),
  ]);
  let ended = false;
  const exited = child.status.then(async (status) => {
    ended = true;
    await child.stdin.close().catch(() => {});
    await lines;
    return status;
  });

  const signal = (name: Deno.Signal) => {
    if (!ended) child.kill(name);
  };
  return {
    pid: child.pid,
    exited,
    signal,
    async stop(name, graceMs) {
      signal(name);
      const killer = setTimeout(() => signal("SIGKILL"), graceMs);
      await exited;
      clearTimeout(killer);
    },
  };
}

async function readLines(stream: ReadableStream<Uint8Array>, onLine: (line: string) => void) {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + text).split("\n");
    rest = parts.pop() ?? "";
    parts.forEach(onLine);
  }
  if (rest) onLine(rest);
}
