import { createRoutes } from "./routes.ts";
import { travel } from "./script/time_travel.ts";
import { createSimulator, type SimulatorOptions, type World } from "./simulator.ts";

/** A webhook as the business received it. */
export interface ReceivedWebhook {
  url: string;
  at: number;
  text: string;
  headers: Headers;
}

/** A status or message of a webhook, whatever its shape. */
export type Item = Record<string, unknown>;

export interface TestSimulator {
  world: World;
  webhooks: ReceivedWebhook[];
  /** All statuses received so far, in the order of their arrival. */
  statuses(): Item[];
  messages(): Item[];
  /** Lets time pass and every webhook of that time be answered. */
  advance(ms: number): Promise<void>;
  request(method: string, path: string, body?: unknown): Promise<Response>;
  json(method: string, path: string, body?: unknown): Promise<Item>;
  send(change?: Item): Promise<Response>;
}

export const NOON = Date.UTC(2026, 10, 22, 12);
export const NUMBER = "100000000000001";
export const SECRET = "test_app_secret";

/** A valid text message; tests replace what they are about. */
export function aTextMessage(change: Item = {}): Item {
  return {
    messaging_product: "whatsapp",
    to: "+15550200001",
    type: "text",
    text: { body: "Hello" },
    ...change,
  };
}

/** A simulator whose clock stands still until told, whose chance is fixed, and without network. */
export function createTestSimulator(
  answer: (webhook: ReceivedWebhook) => Response | Promise<Response> = () => new Response(null),
  options: Partial<SimulatorOptions> = {},
): TestSimulator {
  const webhooks: ReceivedWebhook[] = [];
  const world = createSimulator({
    webhookUrl: "http://business.test/webhook",
    appSecret: SECRET,
    verifyToken: "verify",
    now: () => NOON,
    random: steppedChance(),
    wakeAfter: () => () => {},
    log: () => {},
    baseUrl: () => "http://simulator.test",
    receivedLimit: 100,
    fetch: (input, init) => {
      const { body, headers } = init ?? {};
      const text = body instanceof Uint8Array ? new TextDecoder().decode(body) : String(body ?? "");
      const webhook = {
        url: String(input),
        at: world.clock.now(),
        text,
        headers: new Headers(headers),
      };
      webhooks.push(webhook);
      return Promise.resolve(answer(webhook));
    },
    ...options,
  });
  const routes = createRoutes(world);

  function request(method: string, path: string, body?: unknown): Promise<Response> {
    const headers = { authorization: "Bearer token", "content-type": "application/json" };
    const text = body === undefined ? null : JSON.stringify(body);
    return routes(new Request(`http://simulator.test${path}`, { method, headers, body: text }));
  }

  return {
    world,
    webhooks,
    statuses: () => itemsOf(webhooks, "statuses"),
    messages: () => itemsOf(webhooks, "messages"),
    advance: (ms) => travel(world.clock, ms, () => answered(world)),
    request,
    json: async (method, path, body) => await (await request(method, path, body)).json(),
    send: (change) => request("POST", `/v25.0/${NUMBER}/messages`, aTextMessage(change)),
  };
}

/** A fixed sequence that never repeats within a test. */
function steppedChance(): () => number {
  let step = 0;
  return () => (step = (step + 0.6180339887) % 1);
}

/** The webhooks here are answered without a network, so a few turns of the queue are enough. */
async function answered(world: World): Promise<void> {
  for (let turn = 0; turn < 200; turn++) {
    await Promise.resolve();
    if (turn > 20 && world.delivery.pending().in_flight === 0) return;
  }
}

interface Change {
  value: Record<string, unknown>;
}

/** Every change of every entry of every webhook. */
export function changesOf(webhooks: readonly ReceivedWebhook[]): (Change & { field: string })[] {
  return webhooks.filter(({ text }) => text !== "").flatMap(({ text }) => JSON.parse(text).entry)
    .flatMap((entry: { changes: (Change & { field: string })[] }) => entry.changes);
}

function itemsOf(webhooks: readonly ReceivedWebhook[], list: string): Item[] {
  return changesOf(webhooks).flatMap(({ value }) => (value[list] ?? []) as Item[]);
}
