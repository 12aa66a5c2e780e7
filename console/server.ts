import { readRunbook } from "./runbook.ts";

export interface ConsoleOptions {
  /** 0 takes a free one. */
  port: number;
  apiUrl: string;
  /** Stays in this process: the page never sees it. */
  secretKey: string;
  /** Whose messages are shown first; null: the first tenant's. */
  tenantId: string | null;
  /** The customer's phone to show beside them; null where customers have real ones. */
  phoneUrl: string | null;
  fetch?: typeof fetch;
}

const PAGE = new URL("./page/", import.meta.url);
const TYPES: Readonly<Record<string, string>> = {
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
};

/** What the page may ask, each a question of the API's own; `takes` are parameters that it passes on. */
const QUESTIONS: Readonly<Record<string, { path: string; takes?: readonly string[] }>> = {
  "/api/health": { path: "/health/detailed" },
  "/api/attention": { path: "/admin/attention" },
  "/api/dead-letters": { path: "/admin/dead-letters?limit=1" },
  "/api/quarantine": { path: "/admin/quarantine?limit=1" },
  "/api/tenants": { path: "/admin/tenants?limit=200", takes: ["search"] },
  "/api/messages": { path: "/wa-messages?limit=25", takes: ["status", "to", "cursor"] },
};
const ONE_MESSAGE = /^\/api\/messages\/([0-9a-f-]{36})$/;

/** Serves the operator's page on 127.0.0.1, to browsers of this machine alone. */
export async function startConsole(
  options: ConsoleOptions,
): Promise<{ url: string; stop(): Promise<void> }> {
  const runbook = await readRunbook();
  const closing = new AbortController();
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: options.port, signal: closing.signal, onListen: () => {} },
    createConsole(options, runbook),
  );
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    async stop() {
      closing.abort();
      await server.finished;
    },
  };
}

/** Answers the page, the runbook and the few questions that the page may ask; changes nothing. */
export function createConsole(
  options: ConsoleOptions,
  runbook: Readonly<Record<string, string>>,
): (request: Request) => Promise<Response> {
  return async (request) => {
    const url = new URL(request.url);
    // Another site's page could reach this port under a name of its own (DNS rebinding).
    if (!["127.0.0.1", "localhost"].includes(url.hostname)) return refuse(403, "Unknown host");
    if (request.method !== "GET") return refuse(405, "This page only reads");
    switch (url.pathname) {
      case "/":
        return await showPage(options);
      case "/api/setup":
        return Response.json({
          phone_url: options.phoneUrl,
          tenant_id: options.tenantId,
          api_url: options.apiUrl,
        });
      case "/api/runbook":
        return Response.json(runbook);
    }
    const file = /^\/page\/([a-z_]+\.(css|js))$/.exec(url.pathname);
    return file ? await showFile(file[1]!, file[2]!) : await answer(options, url);
  };
}

async function answer(options: ConsoleOptions, { pathname, searchParams }: URL): Promise<Response> {
  const id = ONE_MESSAGE.exec(pathname)?.[1];
  const question = id ? { path: `/wa-messages/${id}` } : QUESTIONS[pathname];
  if (!question) return refuse(404, "Nothing here");
  const asked = new URL(`${options.apiUrl}/functions/v1${question.path}`);
  for (const name of question.takes ?? []) {
    const value = searchParams.get(name);
    if (value) asked.searchParams.set(name, value);
  }
  const tenant = searchParams.get("tenant");
  return await ask(options, asked, tenant ? { "x-tenant-id": tenant } : {});
}

async function ask(
  { fetch: send = fetch, secretKey }: ConsoleOptions,
  url: URL,
  headers: Record<string, string>,
): Promise<Response> {
  try {
    const response = await send(url, {
      headers: { ...headers, apikey: secretKey },
      signal: AbortSignal.timeout(5_000),
    });
    return Response.json(await response.json(), { status: response.status });
  } catch {
    return refuse(
      502,
      `Nothing that is ours answers at ${url.origin}: is it right, and does it run?`,
    );
  }
}

async function showPage({ phoneUrl }: ConsoleOptions): Promise<Response> {
  const policy = [
    "default-src 'none'",
    "connect-src 'self'",
    "style-src 'self'",
    "script-src 'self'",
    `frame-src ${phoneUrl === null ? "'none'" : new URL(phoneUrl).origin}`,
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ];
  return new Response(await Deno.readTextFile(new URL("index.html", PAGE)), {
    headers: {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": policy.join("; "),
      "cache-control": "no-store",
    },
  });
}

async function showFile(name: string, ending: string): Promise<Response> {
  const bytes = await Deno.readFile(new URL(name, PAGE)).catch(() => null);
  if (bytes === null) return refuse(404, "Nothing here");
  return new Response(bytes, {
    headers: { "content-type": TYPES[ending]!, "cache-control": "no-store" },
  });
}

function refuse(status: number, error: string): Response {
  return Response.json({ error }, { status });
}
