export interface ConsoleOptions {
  /** 0 takes a free one. */
  port: number;
  apiUrl: string;
  /** Stays in this process: the page never sees it. */
  secretKey: string;
  /** Whose messages are shown; null: nobody's. */
  tenantId: string | null;
  /** The customer's phone to show beside them, if there is one. */
  phoneUrl: string;
  fetch?: typeof fetch;
}

const PAGE = new URL("./index.html", import.meta.url);

/** Serves the operator's page on 127.0.0.1, to browsers of this machine alone. */
export async function startConsole(
  options: ConsoleOptions,
): Promise<{ url: string; stop(): Promise<void> }> {
  const page = await Deno.readTextFile(PAGE);
  const closing = new AbortController();
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: options.port, signal: closing.signal, onListen: () => {} },
    createConsole(options, page),
  );
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    async stop() {
      closing.abort();
      await server.finished;
    },
  };
}

/** Answers the page and the three calls that it makes. */
export function createConsole(
  options: ConsoleOptions,
  page: string,
): (request: Request) => Promise<Response> {
  return async (request) => {
    const url = new URL(request.url);
    // Another site's page could reach this port under a name of its own (DNS rebinding).
    if (!["127.0.0.1", "localhost"].includes(url.hostname)) return refuse(403, "Unknown host");
    if (request.method !== "GET") return refuse(405, "This page only reads");
    switch (url.pathname) {
      case "/":
        return showPage(page, options);
      case "/api/setup":
        return Response.json({ phone_url: options.phoneUrl, tenant_id: options.tenantId });
      case "/api/health":
        return await ask(options, "/health/detailed", {});
      case "/api/messages":
        if (options.tenantId === null) return Response.json({ messages: [] });
        return await ask(options, "/wa-messages?limit=12", { "x-tenant-id": options.tenantId });
      default:
        return refuse(404, "Nothing here");
    }
  };
}

async function ask(
  options: ConsoleOptions,
  path: string,
  headers: Record<string, string>,
): Promise<Response> {
  try {
    const response = await (options.fetch ?? fetch)(`${options.apiUrl}/functions/v1${path}`, {
      headers: { ...headers, apikey: options.secretKey },
      signal: AbortSignal.timeout(5_000),
    });
    return Response.json(await response.json(), { status: response.status });
  } catch {
    return refuse(502, "The API does not answer");
  }
}

function showPage(page: string, { phoneUrl }: ConsoleOptions): Response {
  const nonce = crypto.randomUUID();
  const policy = [
    "default-src 'none'",
    "connect-src 'self'",
    `style-src 'nonce-${nonce}'`,
    `script-src 'nonce-${nonce}'`,
    `frame-src ${new URL(phoneUrl).origin}`,
    "img-src data:",
    "frame-ancestors 'none'",
  ];
  return new Response(page.replaceAll("{{nonce}}", nonce), {
    headers: {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": policy.join("; "),
      "cache-control": "no-store",
    },
  });
}

function refuse(status: number, error: string): Response {
  return Response.json({ error }, { status });
}
