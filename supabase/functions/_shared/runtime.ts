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
  /** Every address that a host has, as the system resolves it; throws when it has none. */
  resolve(hostname: string): Promise<string[]>;
  /** A connection to this very address, whatever name led to it. */
  connect(address: string, port: number): Promise<Connection>;
  /** TLS over a connection; throws unless the certificate is valid for the name. An abort closes it. */
  secure(connection: Connection, serverName: string, signal: AbortSignal): Promise<Connection>;
  /** Keeps the isolate alive until the work settles; the work reports its own failures. */
  keepAlive(work: Promise<unknown>): void;
  onShutdown(callback: (reason: string) => void): void;
  /** One line of log. */
  write(line: string): void;
}

/** Bytes both ways, until one side closes. */
export interface Connection {
  read(into: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  close(): void;
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
  resolve,
  connect: (address, port) => Deno.connect({ hostname: address, port }),
  secure,
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

// Loaded when asked for: few functions resolve names themselves.
async function resolve(hostname: string): Promise<string[]> {
  const { lookup } = await import("node:dns/promises");
  return (await lookup(hostname, { all: true })).map(({ address }) => address);
}

async function secure(
  connection: Connection,
  serverName: string,
  signal: AbortSignal,
): Promise<Connection> {
  if (!isTcp(connection)) throw new TypeError("Cannot secure what connect() did not make");
  const secured = await Deno.startTls(connection, {
    hostname: serverName,
    alpnProtocols: ["http/1.1"],
  });
  const close = () => secured.close();
  signal.addEventListener("abort", close, { once: true });
  await secured.handshake().finally(() => signal.removeEventListener("abort", close));
  return secured;
}

function isTcp(connection: Connection): connection is Deno.TcpConn {
  return "setNoDelay" in connection;
}

// The hosted runtime says why: cpu, memory, wall_clock, early_drop or termination.
function shutdownReason(event: Event): string {
  const detail: unknown = event instanceof CustomEvent ? event.detail : undefined;
  if (typeof detail === "object" && detail !== null && "reason" in detail) {
    return String(detail.reason);
  }
  return "termination";
}
