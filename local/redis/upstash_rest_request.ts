/** What a request to the Upstash REST API asks for, or the status and message that refuse it. */
export type RestRequest =
  | { kind: "command"; args: string[] }
  | { kind: "pipeline" | "transaction"; commands: string[][] }
  | { kind: "refused"; status: 400 | 401 | 405; error: string };

/** Reads one request: https://upstash.com/docs/redis/features/restapi (2026-08). */
export async function readRestRequest(request: Request, token: string): Promise<RestRequest> {
  const url = new URL(request.url);
  if (!isAuthorized(request, url, token)) {
    return { kind: "refused", status: 401, error: "WRONGPASS invalid or missing auth token" };
  }
  if (!["GET", "HEAD", "POST", "PUT"].includes(request.method)) {
    return { kind: "refused", status: 405, error: "ERR method not allowed" };
  }
  const path = url.pathname.split("/").slice(1).filter(Boolean).map(decodeURIComponent);
  if (path[0] === "pipeline" || path[0] === "multi-exec") {
    if (request.method !== "POST") {
      return { kind: "refused", status: 405, error: "ERR method not allowed" };
    }
    const kind = path[0] === "pipeline" ? "pipeline" : "transaction";
    return toBatch(kind, parseJson(await request.text()));
  }
  return path.length > 0 ? await toPathCommand(request, url, path) : await toBodyCommand(request);
}

function isAuthorized(request: Request, url: URL, token: string): boolean {
  const bearer = /^Bearer (.+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
  return (bearer ?? url.searchParams.get("_token")) === token;
}

function toBatch(kind: "pipeline" | "transaction", body: unknown): RestRequest {
  const commands = Array.isArray(body) ? body.map(toArguments) : [];
  if (commands.length === 0 || !commands.every((args) => args !== undefined)) return malformed();
  return { kind, commands };
}

async function toBodyCommand(request: Request): Promise<RestRequest> {
  const args = toArguments(parseJson(await request.text()));
  return args ? { kind: "command", args } : malformed();
}

// SET/key?EX=10 with a body: the body is the value, the query follows it.
async function toPathCommand(request: Request, url: URL, path: string[]): Promise<RestRequest> {
  const body = await request.text();
  const query = [...url.searchParams].filter(([name]) => name !== "_token");
  const options = query.flatMap(([name, value]) => value === "" ? [name] : [name, value]);
  return { kind: "command", args: [...path, ...(body === "" ? [] : [body]), ...options] };
}

function toArguments(value: unknown): string[] | undefined {
  if (!Array.isArray(value) || value.length === 0) return undefined;
  return value.map((one) => typeof one === "string" ? one : JSON.stringify(one));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function malformed(): RestRequest {
  return { kind: "refused", status: 400, error: "ERR failed to parse command" };
}
