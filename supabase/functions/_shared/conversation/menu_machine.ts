import { assign, setup } from "xstate";
import type { ConversationEvent } from "./event.ts";
import type { MachineVersion } from "./machine.ts";
import { MAX_FALLBACKS } from "./menu_context.ts";
import type { MenuContext } from "./menu_context.ts";
import { intentOf, repairOf } from "./menu_intent.ts";
import type { Intent } from "./menu_intent.ts";
import { menuWords } from "./menu_words.ts";
import { RELEASES } from "./released.ts";

const machine = setup({
  types: { context: {} as MenuContext, events: {} as ConversationEvent },
  actions: {
    say: (_, _params: { words: keyof typeof menuWords & string }) => {},
    heed: assign({
      intent: ({ event }) => intentOf(event),
      repair: ({ event, context }) => repairOf(event) ?? context.repair,
      wamid: ({ event, context }) => ("wamid" in event ? event.wamid : context.wamid),
    }),
    understood: assign({ fallbacks: 0, knowsMenu: true }),
    countFallback: assign({ fallbacks: ({ context }) => context.fallbacks + 1, knowsMenu: true }),
  },
  guards: {
    means: ({ context }, params: { intent: Intent }) => context.intent === params.intent,
    says: ({ event }, params: { intent: Intent }) => intentOf(event) === params.intent,
    isNew: ({ context }) => !context.knowsMenu,
    hasFallbacksLeft: ({ context }) => context.fallbacks < MAX_FALLBACKS,
  },
});

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** People write one thought in several messages: they are answered once. */
const MERGE = { doubles: { policy: "merge", wait_ms: 2_000, most_ms: 6_000 } } as const;
/** Who corrects an answer means the last one. */
const REPLACE = { doubles: { policy: "replace", wait_ms: 2_000, most_ms: 6_000 } } as const;

const LISTEN = {
  "customer.wrote": "#menu.processing_intent",
  "customer.chose": "#menu.processing_intent",
  "customer.sent": "#menu.processing_intent",
} as const;

const ANSWER = [
  {
    guard: { type: "says", params: { intent: "yes" } },
    target: "#menu.completed",
    actions: { type: "say", params: { words: "booked" } },
  },
  { guard: { type: "says", params: { intent: "no" } }, target: "#menu.awaiting_input.back" },
  { target: "#menu.processing_intent" },
] as const;

const chart = machine.createMachine({
  id: "menu",
  context: { intent: "unclear", repair: null, fallbacks: 0, knowsMenu: false, wamid: null },
  initial: "idle",
  on: { "message.refused": ".error" },
  states: {
    idle: {
      description: "No active conversation",
      meta: MERGE,
      on: LISTEN,
    },
    processing_intent: {
      description: "Finds out what the message means",
      entry: ["heed", { type: "say", params: { words: "seen" } }],
      always: [
        { guard: { type: "means", params: { intent: "menu" } }, target: "awaiting_input.menu" },
        { guard: { type: "means", params: { intent: "hours" } }, target: "awaiting_input.hours" },
        {
          guard: { type: "means", params: { intent: "booking" } },
          target: "awaiting_input.choosing",
        },
        {
          guard: { type: "means", params: { intent: "repair" } },
          target: "awaiting_confirmation",
        },
        { guard: { type: "means", params: { intent: "person" } }, target: "agent_active" },
        {
          guard: { type: "means", params: { intent: "goodbye" } },
          target: "completed",
          actions: { type: "say", params: { words: "goodbye" } },
        },
        { guard: "isNew", target: "awaiting_input.menu" },
        { guard: "hasFallbacksLeft", target: "fallback" },
        { target: "agent_active" },
      ],
    },
    awaiting_input: {
      description: "Waits for the customer",
      meta: MERGE,
      entry: "understood",
      initial: "menu",
      states: {
        menu: { entry: { type: "say", params: { words: "menu" } } },
        hours: { entry: { type: "say", params: { words: "hours" } } },
        choosing: { entry: { type: "say", params: { words: "repairs" } } },
        back: { type: "history", target: "menu" },
      },
      on: LISTEN,
      after: { [30 * MINUTE_MS]: "completed" },
    },
    awaiting_confirmation: {
      description: "Waits for yes or no",
      meta: REPLACE,
      entry: "understood",
      initial: "asked",
      states: {
        asked: {
          entry: { type: "say", params: { words: "confirm" } },
          after: { [10 * MINUTE_MS]: "reminded" },
        },
        reminded: {
          entry: { type: "say", params: { words: "reminder" } },
          after: {
            [20 * MINUTE_MS]: {
              target: "#menu.completed",
              actions: { type: "say", params: { words: "dropped" } },
            },
          },
        },
      },
      on: { "customer.wrote": ANSWER, "customer.chose": ANSWER, "customer.sent": ANSWER },
    },
    fallback: {
      description: "Did not understand; three times in a row at most, then a person takes over",
      meta: MERGE,
      entry: ["countFallback", { type: "say", params: { words: "unclear" } }],
      on: LISTEN,
      after: { [30 * MINUTE_MS]: "completed" },
    },
    agent_active: {
      description: "A person answers, and the bot is silent",
      entry: "understood",
      initial: "waiting",
      states: {
        waiting: {
          entry: { type: "say", params: { words: "handover" } },
          on: { "agent.took": "talking" },
        },
        talking: {},
      },
      on: {
        "agent.returned": "awaiting_input",
        "customer.wrote": {
          guard: { type: "says", params: { intent: "menu" } },
          target: "processing_intent",
        },
        "customer.chose": {
          guard: { type: "says", params: { intent: "menu" } },
          target: "processing_intent",
        },
      },
      after: { [12 * HOUR_MS]: "completed" },
    },
    error: {
      description: "What it said was not accepted; the customer's next message begins again",
      meta: MERGE,
      on: LISTEN,
      after: { [24 * HOUR_MS]: "completed" },
    },
    completed: { type: "final", description: "Over; the next message begins a new conversation" },
  },
});

/** The bot of the demo tenant: a bicycle workshop with buttons, a list and people. */
export const menuV1: MachineVersion = { ...RELEASES.menu1, chart, words: menuWords };
