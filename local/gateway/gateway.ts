import { type Functions, type FunctionsOptions, startFunctions } from "../functions/functions.ts";
import { type GatewayKeys, refuseCaller } from "./auth.ts";
import { type FunctionConfig, readFunctionConfigs } from "./config.ts";
import { forward, platformError, within } from "./proxy.ts";

export interface GatewayOptions extends Omit<FunctionsOptions, "configs"> {
  /** 0 takes a free one. */
  port: number;
  functionsDir: string;
  configPath: string;
  dataApi: { fetch(request: Request): Promise<Response> };
  storage: { fetch(request: Request): Promise<Response> };
  keys: GatewayKeys;
}

export interface Gateway {
  readonly url: string;
  readonly functions: Functions;
  stop(): Promise<void>;
}

const BOOT_TIMEOUT_MS = 15_000;
/** A client that never ends its request must not keep the platform up. */
const LAST_ANSWERS_MS = 1_000;

/**
 * Serves a project's API on 127.0.0.1 as hosted: /rest/v1 and /auth/v1 by the Data API,
 * /storage/v1/object by its stand-in, /functions/v1/<name> by a process of that function, whose path begins with /<name>.
 */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const configs = await readFunctionConfigs(options);
  // Before the functions: a taken port must leave nothing running.
  const ready = Promise.withResolvers<Functions>();
  const closing = new AbortController();
  const underWay = new Set<Promise<Response>>();
  const handler = createGateway({ ...options, configs, functions: ready.promise });
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: options.port, signal: closing.signal, onListen: () => {} },
    (request, connection) => {
      const answer = handler(request, connection);
      underWay.add(answer);
      return answer.finally(() => underWay.delete(answer));
    },
  );
  const functions = await startFunctions({ ...options, configs });
  ready.resolve(functions);
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    functions,
    async stop() {
      await functions.stop();
      await within(LAST_ANSWERS_MS, Promise.allSettled(underWay));
      closing.abort();
      await server.finished;
    },
  };
}

interface Routes extends Pick<GatewayOptions, "dataApi" | "storage" | "keys" | "now"> {
  configs: readonly FunctionConfig[];
  functions: Promise<Functions>;
}

type Handler = (
  request: Request,
  connection: Deno.ServeHandlerInfo<Deno.NetAddr>,
) => Promise<Response>;

function createGateway(routes: Routes): Handler {
  const byName = new Map(routes.configs.map((config) => [config.name, config]));
  return async (request, { remoteAddr }) => {
    const { pathname } = new URL(request.url);
    if (/^\/(rest|auth)\/v1(\/|$)/.test(pathname)) return await askDataApi(request, routes);
    if (pathname.startsWith("/storage/v1/object/")) return await routes.storage.fetch(request);
    const [, name] = /^\/functions\/v1\/([^/]+)/.exec(pathname) ?? [];
    if (name === undefined) return platformError(404, "NOT_FOUND", "No route matches this path");
    const config = byName.get(name);
    if (!config) return platformError(404, "NOT_FOUND", "Requested function was not found");
    const refusal = config.verifyJwt &&
      await refuseCaller(request.headers, routes.keys, routes.now ?? Date.now);
    if (refusal) return platformError(401, refusal, "Missing or invalid credentials");
    const functions = await routes.functions;
    return await forward(request, {
      path: pathname.slice("/functions/v1".length),
      find: () => functions.find(name),
      clientAddress: remoteAddr.hostname,
      bootTimeoutMs: BOOT_TIMEOUT_MS,
    });
  };
}

async function askDataApi(request: Request, routes: Routes): Promise<Response> {
  try {
    return await routes.dataApi.fetch(request);
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    return platformError(503, "SUPABASE_DATA_API_UNAVAILABLE", `The Data API failed: ${detail}`);
  }
}
