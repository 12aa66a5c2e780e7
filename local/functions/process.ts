import { dirname, join, resolve } from "node:path";

import type { FunctionConfig } from "../gateway/config.ts";
import { type GuardedProcess, spawnGuarded } from "../guarded_process.ts";

/** What a request for a function finds. */
export type FunctionAnswer =
  | { kind: "ready"; url: string }
  /** The module could not be loaded; `said` is the end of what it printed. */
  | { kind: "boot_failed"; said: string };

/** One process of a function, started again whenever it ends. */
export interface SupervisedFunction {
  /** Undefined while a process starts. */
  readonly answer: FunctionAnswer | undefined;
  /** Resolves with the first answer after now, at once when there is one. */
  settled(): Promise<FunctionAnswer>;
  /** Ends the process as `kill -9` does; another one takes its place. */
  kill(): void;
  stop(): Promise<void>;
}

export interface SuperviseOptions {
  /** Shown in the log: the function's name, with a number when it has several processes. */
  label: string;
  config: FunctionConfig;
  env: Record<string, string>;
  log: (line: string) => void;
  onStarted: (label: string, pid: number) => void;
  now: () => number;
  sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

const STOP_GRACE_MS = 3_000;

/** Runs a function under `deno serve` on a free port of 127.0.0.1 until stopped. */
export function superviseFunction(options: SuperviseOptions): SupervisedFunction {
  const stopping = new AbortController();
  let answer: FunctionAnswer | undefined;
  let next = Promise.withResolvers<FunctionAnswer>();
  let child: GuardedProcess | undefined;

  function answerWith(known: FunctionAnswer | undefined): void {
    answer = known;
    if (known) next.resolve(known);
    else next = Promise.withResolvers();
  }

  async function runOnce(): Promise<boolean> {
    const started = startProcess(options);
    child = started.child;
    options.onStarted(options.label, child.pid);
    const listening = await started.listening;
    answerWith(listening ?? { kind: "boot_failed", said: started.said() });
    const { code, signal } = await child.exited;
    if (!stopping.signal.aborted) {
      const end = signal ?? `exit code ${code}`;
      options.log(listening ? `error: died (${end})` : `error: does not start (${end})`);
    }
    return listening !== undefined;
  }

  async function runForEver(): Promise<void> {
    for (let failures = 0; !stopping.signal.aborted;) {
      const startedAt = options.now();
      const started = await runOnce();
      failures = started && options.now() - startedAt > 10_000 ? 0 : failures + 1;
      // A module that cannot be loaded stays answered until the next try has an answer.
      if (started) answerWith(undefined);
      await options.sleep(restartDelayMs(failures), stopping.signal).catch(() => {});
    }
  }

  const running = runForEver();
  return {
    get answer() {
      return answer;
    },
    settled: () => answer ? Promise.resolve(answer) : next.promise,
    kill: () => child?.signal("SIGKILL"),
    async stop() {
      stopping.abort();
      await child?.stop("SIGTERM", STOP_GRACE_MS);
      await running;
      next.resolve({ kind: "boot_failed", said: "the platform stops" });
    },
  };
}

/** 100 ms after the first death, doubled for each that follows soon, at most 5 s. */
export function restartDelayMs(failures: number): number {
  return failures === 0 ? 0 : Math.min(5_000, 100 * 2 ** (failures - 1));
}

function startProcess(options: SuperviseOptions) {
  const said: string[] = [];
  const listening = Promise.withResolvers<FunctionAnswer | undefined>();
  const child = spawnGuarded({
    command: "env",
    args: [...withoutForeignVariables(), Deno.execPath(), ...serveArguments(options.config)],
    cwd: dirname(options.config.entrypoint),
    // Hosted functions know their isolate by this name.
    env: { ...options.env, NO_COLOR: "1", SB_EXECUTION_ID: crypto.randomUUID() },
    // Nobody is left who could wait for it.
    signalWhenOrphaned: "SIGKILL",
    onLine(line) {
      const url = /^deno serve: Listening on (http:\S+?)\/?$/.exec(line)?.[1];
      if (url) return listening.resolve({ kind: "ready", url });
      options.log(line);
      said.push(line);
      if (said.length > 20) said.shift();
    },
  });
  child.exited.then(() => listening.resolve(undefined));
  return { child, listening: listening.promise, said: () => said.join("\n") };
}

// What Deno itself needs to find and fetch packages. Any other variable of the shell that started
// the platform would make the functions behave otherwise here than in the next shell.
const KEPT =
  /^(PATH|HOME|USER|TMPDIR|LANG|LC_\w+|(DENO|XDG|SSL|NPM_CONFIG)_\w+|\w+_PROXY|NODE_EXTRA_CA_CERTS)$/i;

function withoutForeignVariables(): string[] {
  const foreign = Object.keys(Deno.env.toObject()).filter((name) => !KEPT.test(name));
  return foreign.flatMap((name) => ["-u", name]);
}

// The rights of a hosted function, and its memory: 256 MB.
// https://supabase.com/docs/guides/functions/limits
function serveArguments(config: FunctionConfig): string[] {
  return [
    ...["serve", "--no-prompt", "--allow-net", "--allow-env", "--host=127.0.0.1", "--port=0"],
    "--v8-flags=--max-old-space-size=256",
    ...(config.importMap ? importMapFlags(config.importMap) : []),
    config.entrypoint,
  ];
}

// Where the deno.json beside it names the map already, Deno finds both by itself, with the lock.
function importMapFlags(importMap: string): string[] {
  try {
    const folder = dirname(importMap);
    const { importMap: named } = JSON.parse(Deno.readTextFileSync(join(folder, "deno.json")));
    return named && resolve(folder, named) === importMap ? [] : [`--import-map=${importMap}`];
  } catch {
    return [`--import-map=${importMap}`];
  }
}
