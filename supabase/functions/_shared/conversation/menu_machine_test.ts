import { strict as assert } from "node:assert";
import fc from "fast-check";
import type { AnyMachineSnapshot, EventObject } from "xstate";
import { getShortestPaths, getSimplePaths } from "xstate/graph";

import { parseMessage } from "../whatsapp/outbound_message.ts";
import type { OutgoingMessage } from "./machine.ts";
import { machines } from "./machines.ts";
import { MAX_FALLBACKS } from "./menu_context.ts";
import type { MenuContext } from "./menu_context.ts";
import { REPAIRS } from "./menu_intent.ts";
import { menuV1 } from "./menu_machine.ts";
import { restoreSnapshot, stateName, storeSnapshot } from "./snapshot.ts";
import { begin, react } from "./transition.ts";

const ANN = { name: "Ann Bell" };
const EIGHT_STATES = [
  "agent_active",
  "awaiting_confirmation",
  "awaiting_input",
  "completed",
  "error",
  "fallback",
  "idle",
  "processing_intent",
];

const wrote = (text: string) => ({ type: "customer.wrote", text, wamid: "wamid.1" });
const chose = (id: string) => ({ type: "customer.chose", id, title: id, wamid: "wamid.1" });

/** One event of each kind that may happen to a conversation, timers included. */
const EVENTS: EventObject[] = [
  ...["menu", "hours", "booking", "person", "yes", "no", REPAIRS[0].id].map(chose),
  ...["florp", "bye"].map(wrote),
  { type: "customer.sent", kind: "image", wamid: "wamid.1" } as EventObject,
  { type: "agent.took" },
  { type: "agent.returned" },
  { type: "message.refused", outcome: "window_closed" } as EventObject,
  ...menuV1.chart.events.filter((type) => type.startsWith("xstate.after.")).map((type) => ({
    type,
  })),
];

function paths(
  generate: typeof getShortestPaths,
  events: EventObject[] = EVENTS,
  stopWhen: (snapshot: AnyMachineSnapshot) => boolean = () => false,
) {
  return generate(menuV1.chart, {
    events,
    stopWhen,
    // What guards look at: everything else of a context leads nowhere else.
    serializeState: (snapshot) => {
      const { value, context, historyValue } = snapshot as AnyMachineSnapshot;
      const { fallbacks, knowsMenu, repair } = context as MenuContext;
      const back = Object.values(historyValue ?? {}).map((nodes) => nodes.map(({ id }) => id));
      return JSON.stringify([value, fallbacks, knowsMenu, repair !== null, back]);
    },
  });
}

/** Walks events as the engine does, each from what was stored of the one before. */
function walk(events: EventObject[]): { state: string; passed: string[]; said: OutgoingMessage[] } {
  const first = begin(menuV1, ANN);
  let stored = storeSnapshot(first.snapshot);
  const passed = [...first.path];
  const said = [...first.messages];
  for (const event of events) {
    const json = JSON.parse(JSON.stringify(stored));
    const change = react(menuV1, ANN, restoreSnapshot(menuV1.chart, json), event);
    stored = storeSnapshot(change.snapshot);
    passed.push(...change.path);
    said.push(...change.messages);
  }
  return { state: stateName(stored.value), passed, said };
}

Deno.test("every path of the machine leads where XState says, through storage at each step", () => {
  const all = paths(getShortestPaths);
  assert.ok(all.length > 30, `${all.length} paths`);
  const passed = new Set<string>();
  for (const path of all) {
    // The first step of a path is the beginning itself.
    const events = path.steps.map(({ event }) => event).filter(({ type }) =>
      type !== "xstate.init"
    );
    const walked = walk(events);
    assert.equal(walked.state, stateName((path.state as AnyMachineSnapshot).value));
    walked.passed.forEach((state) => passed.add(state.split(".")[0]!));
  }
  assert.deepEqual([...passed].sort(), EIGHT_STATES);
});

Deno.test("every way through a booking, whatever it passes, ends where XState says", () => {
  const events = ["booking", REPAIRS[0].id, "yes", "no"].map(chose);
  const isElsewhere = (snapshot: AnyMachineSnapshot) =>
    ["fallback", "agent_active", "completed"].includes(stateName(snapshot.value).split(".")[0]!);
  const all = paths(getSimplePaths as typeof getShortestPaths, events, isElsewhere);
  assert.ok(all.length > 30, `${all.length} paths`);
  for (const path of all) {
    const walked = walk(
      path.steps.map(({ event }) => event).filter(({ type }) => type !== "xstate.init"),
    );
    assert.equal(walked.state, stateName((path.state as AnyMachineSnapshot).value));
  }
});

Deno.test("the conversation machine has its eight states, and no other", () => {
  assert.deepEqual(Object.keys(menuV1.chart.states).sort(), EIGHT_STATES);
});

Deno.test("every state takes every event without an error, and all but the final one can end", () => {
  for (const { state } of Object.values(paths(getShortestPaths))) {
    for (const event of EVENTS) {
      const change = react(menuV1, ANN, state as AnyMachineSnapshot, event);
      assert.ok(["active", "done"].includes(change.snapshot.status));
    }
  }
});

Deno.test("a customer is not understood three times in a row at most, then a person takes over", () => {
  const event = fc.constantFrom(...EVENTS);
  fc.assert(fc.property(fc.array(event, { maxLength: 40 }), (events) => {
    let snapshot = begin(menuV1, ANN).snapshot;
    for (const one of events) {
      snapshot = react(menuV1, ANN, snapshot, one).snapshot;
      assert.ok(snapshot.context.fallbacks <= MAX_FALLBACKS);
    }
  }));
  const florps = (count: number) => walk([wrote("hi"), ...Array(count).fill(wrote("florp"))]).state;
  assert.deepEqual([1, 3, 4].map(florps), ["fallback", "fallback", "agent_active.waiting"]);
});

Deno.test("being understood once gives the customer all three tries again", () => {
  const events = ["hi", "florp", "florp", "florp", "hours", "florp"].map(wrote);
  assert.equal(walk(events).state, "fallback");
});

Deno.test("no, go back leads to where the question came from", () => {
  const repair = chose(REPAIRS[0].id);
  assert.equal(walk([chose("booking"), repair, chose("no")]).state, "awaiting_input.choosing");
  assert.equal(walk([chose("hours"), repair, chose("no")]).state, "awaiting_input.hours");
  assert.equal(walk([repair, chose("no")]).state, "awaiting_input.menu");
});

Deno.test("while a person answers the bot is silent, until it is asked for the menu or given back", () => {
  const person = [chose("person"), { type: "agent.took" }];
  assert.equal(walk([...person, wrote("and another thing")]).said.length, 2);
  assert.equal(walk([...person, wrote("back to the menu")]).state, "awaiting_input.menu");
  assert.equal(walk([...person, { type: "agent.returned" }]).state, "awaiting_input.menu");
});

Deno.test("all that the machine says is a message that Meta takes", () => {
  const seen = new Set<string>();
  for (const path of paths(getShortestPaths)) {
    for (const event of EVENTS) {
      const change = react(menuV1, ANN, path.state as AnyMachineSnapshot, event);
      for (const { type, content } of change.messages) {
        const parsed = parseMessage(
          { from: "1", to: "+4915120000001", type, [type]: content },
          0,
        );
        assert.ok(parsed.ok, JSON.stringify([content, parsed.ok ? null : parsed.error.issues]));
        seen.add(JSON.stringify(content));
      }
    }
  }
  assert.ok(seen.size >= Object.keys(menuV1.words).length);
});

Deno.test("the machines that are registered are those that were released", () => {
  assert.equal(machines.latest("menu"), menuV1);
  assert.equal(machines.find("menu", 2), undefined);
});
