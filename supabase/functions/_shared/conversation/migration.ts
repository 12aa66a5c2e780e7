import type { AnyMachineSnapshot, AnyStateNode } from "xstate";
import type { Timer } from "./advance.ts";
import { canonicalJson } from "../canonical_json.ts";
import { MachineFault, nameOf } from "./machine.ts";
import type { MachineVersion, StoredSnapshot } from "./machine.ts";
import { restoreSnapshot, stateName, storeSnapshot } from "./snapshot.ts";

/** What another version makes of a running conversation. */
export type Migrated =
  | {
    /** `same`: the version takes it as it is. */
    outcome: "same" | "mapped";
    snapshot: StoredSnapshot;
    state: string;
    timers: Timer[];
  }
  /** It stays where it is: there is no place for it, and `reason` says why. */
  | { outcome: "stuck"; reason: string };

/**
 * Carries a running conversation to another version by the function that the version names for it, and
 * refuses what that version could not go on with. Timers keep their time where the state still has
 * them; what the state has besides begins now.
 */
export function migrate(
  to: MachineVersion,
  from: { version: number; snapshot: StoredSnapshot; timers: Timer[] },
  now: number,
): Migrated {
  const carry = to.migrations?.[from.version];
  if (carry === undefined) {
    return { outcome: "stuck", reason: `${nameOf(to)} has no migration from ${from.version}` };
  }
  try {
    const wanted = carry(structuredClone(from.snapshot));
    const restored = restoreSnapshot(to.chart, wanted);
    const missing = Object.keys(to.chart.config.context ?? {})
      .filter((name) => !Object.hasOwn(wanted.context, name));
    if (missing.length > 0) {
      return { outcome: "stuck", reason: `its context lacks ${missing.join(", ")}` };
    }
    const snapshot = storeSnapshot(restored);
    const isSame = canonicalJson(snapshot) === canonicalJson(from.snapshot);
    return {
      outcome: isSame ? "same" : "mapped",
      snapshot,
      state: stateName(snapshot.value),
      timers: timersOf(restored, from.timers, now),
    };
  } catch (error) {
    if (error instanceof MachineFault) return { outcome: "stuck", reason: error.message };
    throw new MachineFault(`the migration to ${nameOf(to)} failed: ${error}`, { cause: error });
  }
}

function timersOf(snapshot: AnyMachineSnapshot, set: Timer[], now: number): Timer[] {
  const delayed = [...snapshot._nodes].flatMap(({ after }: AnyStateNode) => after);
  return delayed.map(({ eventType, delay }) => {
    const known = set.find(({ name }) => name === eventType);
    if (known !== undefined) return known;
    const { delays } = snapshot.machine.implementations;
    const ms = typeof delay === "string" ? delays[delay] : delay;
    if (typeof ms !== "number") throw new MachineFault(`the delay ${delay} is no number`);
    return { name: eventType, dueAt: now + ms, event: { type: eventType } };
  });
}
