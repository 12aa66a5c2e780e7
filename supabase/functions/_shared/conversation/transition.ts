import { getInitialMicrosteps, getMicrosteps } from "xstate";
import type { AnyMachineSnapshot, EventObject } from "xstate";
import { MachineFault, nameOf } from "./machine.ts";
import type { Customer, MachineVersion, OutgoingMessage } from "./machine.ts";
import { stateName } from "./snapshot.ts";

/** A timer as its machine asks for it. XState names it after the state and the delay. */
export interface TimerRequest {
  name: string;
  delayMs: number;
  event: EventObject;
}

/** What one event does to a conversation; nothing of it has happened yet. */
export interface Change {
  snapshot: AnyMachineSnapshot;
  /** Every state that was passed, the last one included; empty where the event changed nothing. */
  path: string[];
  messages: OutgoingMessage[];
  /** In this order: leaving a state cancels what entering it had set. */
  timers: ({ cancel: string } | { set: TimerRequest })[];
}

interface Action {
  type: string;
  params?: unknown;
}

/** Begins a conversation. */
export function begin(machine: MachineVersion, customer: Customer): Change {
  const steps = getInitialMicrosteps(machine.chart);
  return toChange(machine, customer, steps as [AnyMachineSnapshot, Action[]][]);
}

/** Takes an event: pure, so that it may be computed as often as it takes until it is written. */
export function react(
  machine: MachineVersion,
  customer: Customer,
  snapshot: AnyMachineSnapshot,
  event: EventObject,
): Change {
  const steps = getMicrosteps(machine.chart, snapshot, event) as [AnyMachineSnapshot, Action[]][];
  const changed = steps.length > 0;
  return toChange(machine, customer, changed ? steps : [[snapshot, []]], changed);
}

function toChange(
  machine: MachineVersion,
  customer: Customer,
  steps: [AnyMachineSnapshot, Action[]][],
  changed = true,
): Change {
  const change: Change = {
    snapshot: steps.at(-1)![0],
    path: changed ? steps.map(([{ value }]) => stateName(value)) : [],
    messages: [],
    timers: [],
  };
  for (const [snapshot, actions] of steps) {
    for (const action of actions) collect(change, machine, customer, snapshot, action);
  }
  return change;
}

function collect(
  change: Change,
  machine: MachineVersion,
  customer: Customer,
  { context }: AnyMachineSnapshot,
  { type, params }: Action,
): void {
  switch (type) {
    case "say": {
      const { words } = params as { words: string };
      const message = machine.words[words];
      if (message === undefined) {
        throw new MachineFault(`${nameOf(machine)} has no words "${words}"`);
      }
      change.messages.push(message(context as never, customer));
      return;
    }
    case "xstate.raise": {
      const { id, delay, event } = params as { id?: string; delay?: number; event: EventObject };
      // Without a delay XState itself has taken it in the same step.
      if (delay === undefined) return;
      if (id === undefined) {
        throw new MachineFault(`a delayed event of ${nameOf(machine)} has no id`);
      }
      change.timers.push({ set: { name: id, delayMs: delay, event } });
      return;
    }
    case "xstate.cancel":
      change.timers.push({ cancel: (params as { sendId: string }).sendId });
      return;
    default:
      throw new MachineFault(`${nameOf(machine)} does "${type}", and nothing here can`);
  }
}
