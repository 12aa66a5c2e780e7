import type { AnyMachineSnapshot } from "xstate";
import { takeNext } from "./doubles.ts";
import type { PendingStep } from "./doubles.ts";
import { isOfCustomer } from "./event.ts";
import type { ConversationEvent } from "./event.ts";
import { MachineFault } from "./machine.ts";
import type { Customer, MachineVersion, OutgoingMessage, StoredSnapshot } from "./machine.ts";
import type { Machines } from "./registry.ts";
import { doublesOf, restoreSnapshot, stateName, storeSnapshot } from "./snapshot.ts";
import { begin, react } from "./transition.ts";
import type { Change } from "./transition.ts";

/** A timer that is set; `dueAt` in epoch milliseconds. */
export interface Timer {
  name: string;
  dueAt: number;
  event: { type: string };
}

/** A conversation with all that waits for it, as it was claimed. */
export interface Conversation {
  machine: string;
  /** Null before it began: it then begins on the newest version. */
  version: number | null;
  snapshot: StoredSnapshot | null;
  customer: Customer;
  /** In their order; null for what asks for nothing. */
  steps: { id: number; at: number; event: ConversationEvent | null }[];
  timers: Timer[];
}

/** One line of a conversation's history. */
export interface Transition {
  event: { type: string; [detail: string]: unknown };
  version: number;
  from: string | null;
  to: string;
  /** The states that were passed; empty where the event changed nothing. */
  path: string[];
  messages: OutgoingMessage[];
}

/** Where a conversation has got to; to be written all at once or not at all. */
export interface Advance {
  version: number | null;
  snapshot: StoredSnapshot | null;
  state: string | null;
  /** Taken by this advance. */
  stepIds: number[];
  transitions: Transition[];
  /** All that are set now. */
  timers: Timer[];
  /** What is left waits for more of it until then, epoch milliseconds; null where it waits for nothing. */
  waitUntil: number | null;
}

/** One advance makes no more transitions than this: what is left comes with the next claim. */
const MAX_TRANSITIONS = 20;

/**
 * Lets a conversation react to all that waits for it, messages and timers in the order of their time.
 * Pure: the same conversation at the same time gives the same advance, however often it is computed.
 */
export function advance(machines: Machines, conversation: Conversation, now: number): Advance {
  const run = startRun(machines, conversation);
  let waitUntil: number | null = null;
  while (run.transitions.length < MAX_TRANSITIONS) {
    const next = nextOf(run, now);
    if (next === null) break;
    if (next.do === "wait") {
      waitUntil = next.until;
      break;
    }
    if (next.do === "fire") {
      run.timers.delete(next.timer.name);
      take(run, next.timer.event, now);
      continue;
    }
    run.steps.splice(0, next.steps.length);
    run.stepIds.push(...next.steps.map(({ id }) => id));
    if (run.isOver() && isOfCustomer(next.event)) beginAnew(run, now);
    if (!run.isOver()) take(run, next.event, now);
  }
  return {
    version: run.machine?.version ?? conversation.version,
    snapshot: run.snapshot === null ? null : storeSnapshot(run.snapshot),
    state: run.snapshot === null ? null : stateName(run.snapshot.value),
    stepIds: run.stepIds,
    transitions: run.transitions,
    timers: [...run.timers.values()],
    waitUntil,
  };
}

interface Run {
  machines: Machines;
  machineId: string;
  customer: Customer;
  machine: MachineVersion | null;
  snapshot: AnyMachineSnapshot | null;
  steps: PendingStep[];
  stepIds: number[];
  timers: Map<string, Timer>;
  transitions: Transition[];
  isOver(): boolean;
}

function startRun(machines: Machines, given: Conversation): Run {
  const { machine: machineId, version, snapshot: stored, customer } = given;
  const machine = stored === null || version === null
    ? null
    : machines.find(machineId, version) ?? unknownVersion(machineId, version);
  const silent = given.steps.filter(({ event }) => event === null);
  return {
    machines,
    machineId,
    customer,
    machine,
    snapshot: machine === null ? null : restoreSnapshot(machine.chart, stored!),
    steps: given.steps.flatMap(({ id, at, event }) => (event === null ? [] : [{ id, at, event }])),
    stepIds: silent.map(({ id }) => id),
    timers: new Map(given.timers.map((timer) => [timer.name, timer])),
    transitions: [],
    isOver() {
      return this.snapshot === null || this.snapshot.status === "done";
    },
  };
}

type NextOfRun = ReturnType<typeof takeNext> | { do: "fire"; timer: Timer } | null;

// A message that was written before a timer was due comes before it, and may cancel it.
function nextOf(run: Run, now: number): NextOfRun {
  const { steps, timers } = run;
  const due = [...timers.values()]
    .filter(({ dueAt }) => dueAt <= now)
    .sort((a, b) => a.dueAt - b.dueAt || (a.name < b.name ? -1 : 1))[0];
  const first = steps[0];
  if (due !== undefined && (first === undefined || due.dueAt < first.at)) {
    return { do: "fire", timer: due };
  }
  if (first === undefined) return null;
  const resting = run.isOver() ? begin(newest(run), run.customer).snapshot : run.snapshot!;
  return takeNext(steps, doublesOf(resting), now);
}

function beginAnew(run: Run, now: number): void {
  const machine = newest(run);
  run.machine = machine;
  run.timers.clear();
  const change = begin(machine, run.customer);
  record(run, { type: "conversation.began" }, null, change);
  settle(run, change, now);
}

function take(run: Run, event: { type: string }, now: number): void {
  const from = stateName(run.snapshot!.value);
  const change = react(run.machine!, run.customer, run.snapshot!, event);
  record(run, event, from, change);
  settle(run, change, now);
}

function record(run: Run, event: { type: string }, from: string | null, change: Change): void {
  run.transitions.push({
    event,
    version: run.machine!.version,
    from,
    to: stateName(change.snapshot.value),
    path: change.path,
    messages: change.messages,
  });
}

function settle(run: Run, change: Change, now: number): void {
  run.snapshot = change.snapshot;
  for (const timer of change.timers) {
    if ("cancel" in timer) run.timers.delete(timer.cancel);
    else {
      const { name, delayMs, event } = timer.set;
      run.timers.set(name, { name, dueAt: now + delayMs, event });
    }
  }
  if (run.isOver()) run.timers.clear();
}

function newest({ machines, machineId }: Run): MachineVersion {
  const machine = machines.latest(machineId);
  if (machine === undefined) throw new MachineFault(`there is no machine "${machineId}"`);
  return machine;
}

function unknownVersion(id: string, version: number): never {
  throw new MachineFault(`there is no machine "${id}" of version ${version}`);
}
