import type { Bytes } from "./bytes.ts";

/** The real world as a value: clock, chance, network, environment and the life of the isolate. */
export interface Runtime {
  env(name: string): string | undefined;
  /** Milliseconds since the epoch. */
  now(): number;
  /** Milliseconds since the isolate began: it goes on when the clock is set. */
  uptime(): number;
  /** At least 0, less than 1; not for secrets. */
  random(): number;
  /** From the cryptographic source: for keys and ids. */
  randomBytes(length: number): Bytes;
  /** Rejects with the signal's reason when aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** A signal that aborts by itself after this time. */
  deadline(ms: number): AbortSignal;
  fetch: typeof fetch;
  /** Keeps the isolate alive until the work settles; the work reports its own failures. */
  keepAlive(work: Promise<unknown>): void;
  onShutdown(callback: (reason: string) => void): void;
  /** One line of log. */
  write(line: string): void;
}

interface EdgeRuntimeGlobal {
  EdgeRuntime?: { waitUntil(work: Promise<unknown>): void };
}

/** The only implementation that touches globals; everything else receives what it needs of it. */
export const runtime: Runtime = {
  env: (name) => Deno.env.get(name),
  now: () => Date.now(),
  uptime: () => performance.now(),
  random: () => Math.random(),
  randomBytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
  sleep,
  deadline: (ms) => AbortSignal.timeout(ms),
  fetch: (input: URL | Request | string, init?: RequestInit) => fetch(input, init),
  // Hosted isolates are dropped once the response is out unless the work is announced. A plain
  // Deno process lives on by itself.
  keepAlive: (work) => (globalThis as EdgeRuntimeGlobal).EdgeRuntime?.waitUntil(work),
  onShutdown: (callback) =>
    globalThis.addEventListener("beforeunload", (event) => callback(shutdownReason(event))),
  // deno-lint-ignore no-console -- the log goes where the platform reads it: standard output
  write: (line) => console.log(line),
};

function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, ms);
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

// The hosted runtime says why: cpu, memory, wall_clock, early_drop or termination.
function shutdownReason(event: Event): string {
  const detail: unknown = event instanceof CustomEvent ? event.detail : undefined;
  if (typeof detail === "object" && detail !== null && "reason" in detail) {
    return String(detail.reason);
  }
  return "termination";
}
