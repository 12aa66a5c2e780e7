import { type Clock, createClock, type WakeAfter } from "./clock.ts";
import { createBusinessNumbers } from "./graph/business_numbers.ts";
import { createLimits } from "./graph/limits.ts";
import { createMediaStore } from "./graph/media.ts";
import { createMediaLinks } from "./graph/media_links.ts";
import { createSend } from "./graph/send.ts";
import { createTemplates } from "./graph/templates.ts";
import { createIds } from "./ids.ts";
import { createChats } from "./phone/chats.ts";
import { createCustomers } from "./phone/customers.ts";
import { createPhoneScreen } from "./phone/phone_screen.ts";
import { createIdleness } from "./script/idleness.ts";
import { createReceivedLog } from "./script/received_log.ts";
import { createRules } from "./script/rules.ts";
import { createSettings } from "./script/settings.ts";
import { createAccountEvents } from "./webhooks/account_events.ts";
import { createDelivery, type Delivery } from "./webhooks/delivery.ts";
import { createInbound } from "./webhooks/inbound.ts";
import { createWebhookPoster, type Subscriber } from "./webhooks/post_webhook.ts";
import { createPricing } from "./webhooks/pricing.ts";
import { createStatuses, type Statuses } from "./webhooks/statuses.ts";

/** What the simulator needs of the world outside. */
export interface SimulatorOptions {
  webhookUrl: string;
  appSecret: string;
  verifyToken: string;
  now: () => number;
  random: () => number;
  fetch: typeof fetch;
  wakeAfter: WakeAfter;
  log: (line: string) => void;
  /** Where the simulator itself is reached, for the addresses that it gives out. */
  baseUrl: () => string;
  /** How many calls the log of received sends keeps. */
  receivedLimit: number;
}

/** The app's webhook subscription. */
export interface Subscription extends Subscriber {
  verifyToken: string;
}

/** Every part of a running simulator. */
export type World = ReturnType<typeof createSimulator>;

/** Puts the parts together; nothing listens and no timer runs yet. */
export function createSimulator(options: SimulatorOptions) {
  const clock = createClock(options);
  const memory = createMemory(options, clock);
  const traffic = createTraffic(options, clock, memory);
  const parts = { clock, ...memory, ...traffic };
  return {
    ...parts,
    random: options.random,
    fetch: options.fetch,
    send: createSend(parts),
    receiveFromCustomer: createInbound({ ...parts, now: clock.now }),
    publishEvent: createAccountEvents(parts),
    reset: createReset(parts),
    stop() {
      traffic.poster.stop();
      clock.stop();
    },
  };
}

/** What is remembered: nothing here acts by itself. */
function createMemory(options: SimulatorOptions, clock: Clock) {
  const { now } = clock;
  const { random, fetch, baseUrl } = options;
  const ids = createIds(random);
  const settings = createSettings();
  const chats = createChats();
  const subscription: Subscription = {
    url: options.webhookUrl,
    verifyToken: options.verifyToken,
    secrets: { current: options.appSecret, previous: null },
  };
  return {
    ids,
    settings,
    subscription,
    chats,
    screen: createPhoneScreen(chats),
    numbers: createBusinessNumbers(),
    customers: createCustomers(),
    templates: createTemplates(),
    limits: createLimits(now),
    pricing: createPricing(now, settings),
    media: createMediaStore({ now, ids, baseUrl }),
    mediaLinks: createMediaLinks({ now, fetch }),
    received: createReceivedLog(options.receivedLimit),
    rules: createRules(random),
  };
}

/** What goes out by itself: statuses, and the webhooks that carry everything. */
function createTraffic(
  { random, fetch, log }: SimulatorOptions,
  clock: Clock,
  memory: ReturnType<typeof createMemory>,
) {
  const { settings, subscription, screen } = memory;
  const timeoutMs = () => settings.current.webhooks.timeout_ms;
  const poster = createWebhookPoster({ clock, fetch, timeoutMs });
  const idleness = createIdleness(clock, () => statuses.planned() === 0 && delivery.isQuiet());
  const answered = createIdleness(clock, () => delivery.pending().in_flight === 0);
  const delivery: Delivery = createDelivery({
    clock,
    random,
    settings,
    post: poster.post,
    subscriber: () => subscription,
    onAnswered() {
      idleness.look();
      answered.look();
    },
    onLost: () => log("The webhook queue is full: an update was dropped."),
  });
  const statuses: Statuses = createStatuses({
    ...memory,
    clock,
    random,
    delivery,
    onStatus: screen.showStatus,
    onHeld: idleness.look,
  });
  return { poster, idleness, answered, delivery, statuses };
}

/** What `POST /_control/reset` may be asked to reset. */
export const resettableParts = [
  "received",
  "rules",
  "settings",
  "numbers",
  "customers",
  "templates",
  "media",
  "chats",
  "limits",
  "webhooks",
] as const;
type ResettablePart = (typeof resettableParts)[number];
type Clearable = { clear(): void };

function createReset(
  parts: Omit<Record<ResettablePart, Clearable>, "settings" | "webhooks"> & {
    settings: { reset(): void };
    mediaLinks: Clearable;
    pricing: Clearable;
    statuses: Clearable;
    delivery: Clearable;
    poster: Clearable;
  },
): (which?: readonly ResettablePart[]) => void {
  const { mediaLinks, pricing, settings, statuses, delivery, poster } = parts;
  const clears: Record<ResettablePart, Clearable[]> = {
    received: [parts.received],
    rules: [parts.rules],
    settings: [{ clear: settings.reset }],
    numbers: [parts.numbers],
    customers: [parts.customers],
    templates: [parts.templates],
    media: [parts.media, mediaLinks],
    chats: [parts.chats],
    limits: [parts.limits, pricing],
    webhooks: [statuses, delivery, poster],
  };
  return (which = resettableParts) => {
    for (const part of which) for (const one of clears[part]) one.clear();
  };
}
