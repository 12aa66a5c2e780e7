import type { AnyStateMachine } from "xstate";
import type { Release } from "./released.ts";

/** A message as accept_messages takes it: `content` is the object that Meta's body names by type. */
export interface OutgoingMessage {
  type: string;
  content: Record<string, unknown>;
}

/** Who the machine talks to. */
export interface Customer {
  name: string | null;
}

/** What a machine says when an action `say` names these words. */
export type Words<Context> = (context: Context, customer: Customer) => OutgoingMessage;

/** What a conversation is when it is not running: plain JSON, of a format of our own. */
export interface StoredSnapshot {
  status: "active" | "done";
  value: unknown;
  context: Record<string, unknown>;
  /** Ids of the states that each history state remembers. */
  history: Record<string, string[]>;
}

/** Carries a running conversation over from the version before. */
export type Migrate = (from: StoredSnapshot) => StoredSnapshot;

/** One version of a machine, as its author writes it down. */
export interface MachineVersion extends Release {
  chart: AnyStateMachine;
  /** By the name that actions give; `never`, since each machine has a context of its own. */
  words: Readonly<Record<string, Words<never>>>;
  /** By the version that a conversation comes from. */
  migrations?: Readonly<Record<number, Migrate>>;
}

/** The definition or a snapshot of a machine is not what it must be; the message says where. */
export class MachineFault extends Error {
  override name = "MachineFault";
}

/** A version's name in logs, in SQL and in refusals. */
export function nameOf({ id, version }: { id: string; version: number }): string {
  return `${id}@${version}`;
}

/**
 * What a state does with messages of the customer that come faster than it answers. A state says so by
 * `meta: { doubles: … }`; of nested states the innermost counts.
 */
export type Doubles =
  /** One after the other. */
  | { policy: "queue" }
  /** Texts become one, once none came for so long, or `most_ms` after the first. */
  | { policy: "merge"; wait_ms: number; most_ms: number }
  /** Only the last counts, once none came for so long, or `most_ms` after the first. */
  | { policy: "replace"; wait_ms: number; most_ms: number };

export const QUEUE: Doubles = { policy: "queue" };
