import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { wakeByTimer } from "./clock.ts";
import { usageHeaders } from "./graph/graph_api.ts";
import { closeAll, readText, toRequest, writeAnswer, writeResponse } from "./http_exchange.ts";
import { createRoutes } from "./routes.ts";
import { createSimulator, type World } from "./simulator.ts";

export interface GraphSimulatorOptions {
  /** 0 takes any free port. */
  port: number;
  /** Where webhooks are posted. */
  webhookUrl: string;
  appSecret: string;
  verifyToken: string;
  now?: () => number;
  random?: () => number;
  log?: (line: string) => void;
}

export interface GraphSimulator {
  url: string;
  /** Breaks every connection and plans nothing more. */
  stop(): Promise<void>;
}

const MESSAGES = /^\/v\d+\.\d+\/(\d+)\/messages(?:\?|$)/;
const RECEIVED_LIMIT = 200_000;
/** Longer than clients keep idle connections, so that none is closed as it is being used. */
const KEEP_ALIVE_MS = 300_000;

/**
 * Starts the simulator on 127.0.0.1. The server is Node's, since it can break a connection without
 * answering, which `Deno.serve` cannot.
 */
export async function startGraphSimulator(options: GraphSimulatorOptions): Promise<GraphSimulator> {
  let url = "";
  const log = options.log ?? (() => {});
  const world = createSimulator({
    webhookUrl: options.webhookUrl,
    appSecret: options.appSecret,
    verifyToken: options.verifyToken,
    now: options.now ?? Date.now,
    random: options.random ?? Math.random,
    log,
    fetch,
    wakeAfter: wakeByTimer,
    baseUrl: () => url,
    receivedLimit: RECEIVED_LIMIT,
  });
  const server = createServer(answering(world, log));
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, "127.0.0.1", resolve);
  });
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    async stop() {
      world.stop();
      await closeAll(server);
    },
  };
}

/** Sends go straight to the sending path, everything else through the routes. */
function answering(
  world: World,
  log: (line: string) => void,
): (incoming: IncomingMessage, outgoing: ServerResponse) => void {
  const routes = createRoutes(world);

  async function answer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const phoneNumberId = incoming.method === "POST" && MESSAGES.exec(incoming.url ?? "")?.[1];
    if (!phoneNumberId) return writeResponse(outgoing, await routes(await toRequest(incoming)));
    const authorization = incoming.headers.authorization ?? null;
    const body = await readText(incoming);
    const answered = await world.send({ phoneNumberId, authorization, body });
    writeAnswer(outgoing, answered, usageHeaders(world.settings.current.limits.usage_percent));
  }

  return (incoming, outgoing) => {
    answer(incoming, outgoing).catch((error) => {
      // A client that went away, or a fault of ours: either way this call alone ends.
      log(`${incoming.method} ${incoming.url} was not answered: ${error}`);
      outgoing.destroy();
    });
  };
}
