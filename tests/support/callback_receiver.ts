import { Webhook } from "standardwebhooks";

/** A callback as a tenant's server got it, its signature verified with the published library. */
export interface ReceivedCallback {
  id: string;
  type: string;
  data: Record<string, unknown>;
  headers: Headers;
  body: string;
}

/** A tenant's own server, on a port of this machine. */
export interface CallbackReceiver extends AsyncDisposable {
  readonly url: string;
  /** What it was sent and answered well, in the order of arrival. */
  readonly received: ReceivedCallback[];
  /** What it was sent, whatever it answered. */
  readonly asked: ReceivedCallback[];
  /** Verifies with this secret from now on; before, it takes whatever comes. */
  trust(secret: string): void;
  /** Answers so from now on: by default 204. */
  answer(statusOf: (callback: ReceivedCallback) => number): void;
  /** Closes the port, as a server that is down. */
  stop(): Promise<void>;
  /** Opens the same port again. */
  start(): void;
}

/** Starts a receiver; for `await using`. */
export function startCallbackReceiver(): CallbackReceiver {
  const received: ReceivedCallback[] = [];
  const asked: ReceivedCallback[] = [];
  let verify: Webhook | null = null;
  let statusOf: (callback: ReceivedCallback) => number = () => 204;

  async function take(request: Request): Promise<Response> {
    const body = await request.text();
    try {
      verify?.verify(body, Object.fromEntries(request.headers));
    } catch {
      return new Response(null, { status: 401 });
    }
    const { type, data } = JSON.parse(body);
    const { headers } = request;
    const callback = { id: headers.get("webhook-id")!, type, data, headers, body };
    asked.push(callback);
    const status = statusOf(callback);
    if (status < 300) received.push(callback);
    return new Response(null, { status });
  }

  const serve = (port: number) =>
    Deno.serve({ hostname: "127.0.0.1", port, onListen: () => {} }, take);
  let server: ReturnType<typeof serve> | null = serve(0);
  const { port } = server.addr;

  async function stop(): Promise<void> {
    await server?.shutdown();
    server = null;
  }
  return {
    url: `http://127.0.0.1:${port}/hook`,
    received,
    asked,
    trust: (secret) => verify = new Webhook(secret),
    answer: (next) => statusOf = next,
    stop,
    start: () => server ??= serve(port),
    [Symbol.asyncDispose]: stop,
  };
}
