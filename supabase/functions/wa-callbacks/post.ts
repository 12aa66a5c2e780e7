import { isPublic, literalOf, portOf, refuseUrl } from "../_shared/callbacks/address.ts";
import type { Reach } from "../_shared/callbacks/address.ts";
import { withDeadline } from "../_shared/resilience/deadline.ts";
import type { Connection } from "../_shared/runtime.ts";
import { discardRest, exchange, ExchangeError, requestBytes } from "./exchange.ts";
import type { Answer } from "./exchange.ts";

/** What came of one call to a tenant's endpoint. */
export type PostResult =
  | ({ answered: true } & Answer)
  | { answered: false; cause: PostFailure };

export type PostFailure =
  /** The address is none that may be called: checked at every call, since names change hands. */
  | "address_refused"
  | "host_not_found"
  | "connection_failed"
  /** The certificate is not valid for the host. */
  | "tls_failed"
  | "connection_closed"
  | "not_http"
  | "timeout";

export interface PostDeps {
  resolve: (hostname: string) => Promise<string[]>;
  connect: (address: string, port: number) => Promise<Connection>;
  secure: (
    connection: Connection,
    serverName: string,
    signal: AbortSignal,
  ) => Promise<Connection>;
  sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
  reach: Reach;
}

export type Post = (
  url: string,
  headers: Record<string, string>,
  body: string,
) => Promise<PostResult>;

export const TIMEOUT_MS = 10_000;
/** A host with several addresses is tried at the next one when the first does not answer. */
const CONNECT_TIMEOUT_MS = 3_000;
const MAX_ADDRESSES = 3;
/** The status is known by then: what is left of an answer is waited for no longer. */
const DISCARD_MS = 1_000;

class PostError extends Error {
  override name = "PostError";
  constructor(readonly failure: PostFailure) {
    super(`Cannot call the endpoint: ${failure}`);
  }
}

/**
 * Calls endpoints by an address that was resolved and checked for this very call, so that no name can
 * lead to another one in between. Within 10 s there is a result; it never throws.
 */
export function createPost(deps: PostDeps): Post {
  return async (url, headers, body) => {
    const posted = await withDeadline(
      (signal) => post(deps, new URL(url), headers, body, signal),
      TIMEOUT_MS,
      deps.sleep,
    );
    if (posted.ok) return { answered: true, ...posted.value };
    return { answered: false, cause: posted.timedOut ? "timeout" : failureOf(posted.error) };
  };
}

function failureOf(error: unknown): PostFailure {
  if (error instanceof PostError) return error.failure;
  if (error instanceof ExchangeError) return error.reason;
  return "connection_closed";
}

async function post(
  deps: PostDeps,
  url: URL,
  headers: Record<string, string>,
  body: string,
  signal: AbortSignal,
): Promise<Answer> {
  const addresses = await findAddresses(deps, url);
  using connection = closing(await open(deps, url, addresses, signal), signal);
  const answer = await exchange(connection, requestBytes(url, headers, body));
  await withDeadline(() => discardRest(connection), DISCARD_MS, deps.sleep);
  return answer;
}

// One address that may not be called is enough to refuse the host. Version 4 first: not every platform
// reaches version 6.
async function findAddresses({ resolve, reach }: PostDeps, url: URL): Promise<string[]> {
  if (refuseUrl(url.href, reach) !== null) throw new PostError("address_refused");
  const literal = literalOf(url);
  const found = literal === null ? await resolve(url.hostname).catch(() => []) : [literal];
  if (found.length === 0) throw new PostError("host_not_found");
  if (reach === "public" && !found.every(isPublic)) throw new PostError("address_refused");
  return found.toSorted((one, other) => Number(one.includes(":")) - Number(other.includes(":")))
    .slice(0, MAX_ADDRESSES);
}

async function open(
  deps: PostDeps,
  url: URL,
  addresses: string[],
  signal: AbortSignal,
): Promise<Connection> {
  for (const address of addresses) {
    const connection = await connectTo(deps, address, portOf(url));
    if (connection === null) continue;
    if (url.protocol === "http:") return connection;
    try {
      return await deps.secure(connection, url.hostname, signal);
    } catch {
      closeQuietly(connection);
      throw new PostError("tls_failed");
    }
  }
  throw new PostError("connection_failed");
}

async function connectTo(
  { connect, sleep }: PostDeps,
  address: string,
  port: number,
): Promise<Connection | null> {
  const connecting = connect(address, port);
  const connected = await withDeadline(() => connecting, CONNECT_TIMEOUT_MS, sleep);
  if (connected.ok) return connected.value;
  // It may still come.
  connecting.then(closeQuietly, () => {});
  return null;
}

function closing(connection: Connection, signal: AbortSignal): Connection & Disposable {
  const close = () => closeQuietly(connection);
  if (signal.aborted) close();
  signal.addEventListener("abort", close, { once: true });
  return {
    read: (into) => connection.read(into),
    write: (bytes) => connection.write(bytes),
    close,
    [Symbol.dispose]: close,
  };
}

// Closed twice, or by the other side meanwhile.
function closeQuietly(connection: Connection): void {
  try {
    connection.close();
  } catch {
    return;
  }
}
