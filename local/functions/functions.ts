import { join } from "node:path";

import { type FunctionAnswer, type SupervisedFunction, superviseFunction } from "./process.ts";
import { isAlarming, type LogFile, openLogFile } from "./log.ts";
import type { FunctionConfig } from "../gateway/config.ts";

/** The processes of all functions. */
export interface Functions {
  readonly names: readonly string[];
  /** Where to send the next request for a function; waits while all its processes start. */
  find(name: string): Promise<FunctionAnswer>;
  /** Resolves when each function listens or has failed to start once. */
  settled(): Promise<Map<string, FunctionAnswer>>;
  /** Ends one process of a function as `kill -9` does; it is started again. */
  kill(name: string, instance?: number): void;
  stop(): Promise<void>;
}

export interface FunctionsOptions {
  configs: readonly FunctionConfig[];
  /** Their whole environment, besides what Deno needs to find its cache. */
  env: Record<string, string>;
  logDir: string;
  /** Processes of a function; one unless named here. */
  instances?: Record<string, number>;
  /** Gets the lines that matter now; the files in `logDir` get all. */
  log: (line: string) => void;
  /** Told of every process started. */
  onStarted?: (name: string, pid: number) => void;
  now?: () => number;
  sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
}

interface Served {
  processes: SupervisedFunction[];
  logFile: LogFile;
  turn: number;
}

/** Starts a process of each function, or as many as `instances` says. */
export async function startFunctions(options: FunctionsOptions): Promise<Functions> {
  await Deno.mkdir(options.logDir, { recursive: true });
  const served = new Map<string, Served>();
  for (const config of options.configs) {
    served.set(config.name, await serveFunction(config, options));
  }
  const expect = (name: string) => {
    const found = served.get(name);
    if (!found) throw new TypeError(`Cannot find function ${name}`);
    return found;
  };
  return {
    names: [...served.keys()],
    find: (name) => findTurn(expect(name)),
    async settled() {
      const answers = [...served].map(async ([name, { processes }]) =>
        [name, await Promise.any(processes.map((process) => process.settled()))] as const
      );
      return new Map(await Promise.all(answers));
    },
    kill(name, instance = 0) {
      const process = expect(name).processes[instance];
      if (!process) throw new RangeError(`Cannot kill process ${instance} of ${name}`);
      process.kill();
    },
    async stop() {
      const all = [...served.values()];
      await Promise.all(all.flatMap(({ processes }) => processes.map((one) => one.stop())));
      await Promise.all(all.map(({ logFile }) => logFile.close()));
    },
  };
}

async function serveFunction(config: FunctionConfig, options: FunctionsOptions): Promise<Served> {
  const { name } = config;
  const logFile = await openLogFile(join(options.logDir, `${name}.log`));
  const count = options.instances?.[name] ?? 1;
  const processes = Array.from({ length: count }, (_, index) => {
    const label = count > 1 ? `${name}#${index}` : name;
    return superviseFunction({
      label,
      config,
      env: options.env,
      log(line) {
        logFile.write(`${label} | ${line}`);
        if (isAlarming(line)) options.log(`${label} | ${line}`);
      },
      onStarted: options.onStarted ?? (() => {}),
      now: options.now ?? Date.now,
      sleep: options.sleep ?? sleep,
    });
  });
  return { processes, logFile, turn: 0 };
}

// Round robin over those that listen.
function findTurn(served: Served): Promise<FunctionAnswer> {
  const { processes } = served;
  for (let tries = 0; tries < processes.length; tries++) {
    const answer = processes[served.turn++ % processes.length]?.answer;
    if (answer?.kind === "ready") return Promise.resolve(answer);
  }
  return Promise.race(processes.map((process) => process.settled()));
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    function done() {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
    if (signal.aborted) done();
    else signal.addEventListener("abort", done);
  });
}
