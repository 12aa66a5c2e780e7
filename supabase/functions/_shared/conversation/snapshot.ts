import type { AnyMachineSnapshot, AnyStateMachine, StateValue } from "xstate";
import { MachineFault, QUEUE } from "./machine.ts";
import type { Doubles, StoredSnapshot } from "./machine.ts";

/**
 * The snapshot as it is kept. Not XState's own persisted form: that changed between patch releases and
 * left conversations unreadable (alkem-io/server#5572).
 */
export function storeSnapshot(snapshot: AnyMachineSnapshot): StoredSnapshot {
  if (snapshot.status !== "active" && snapshot.status !== "done") {
    throw new MachineFault(`the machine ended as "${snapshot.status}": ${snapshot.error}`);
  }
  const remembered = Object.entries(snapshot.historyValue ?? {});
  return {
    status: snapshot.status,
    value: snapshot.value,
    context: snapshot.context,
    history: Object.fromEntries(
      remembered.map(([id, nodes]) => [id, (nodes ?? []).map((node) => node.id)]),
    ),
  };
}

/** The snapshot that was kept; throws a MachineFault that names the state which the machine lacks. */
export function restoreSnapshot(
  chart: AnyStateMachine,
  { status, value, context, history }: StoredSnapshot,
): AnyMachineSnapshot {
  try {
    return chart.resolveState({
      status,
      value: value as StateValue,
      context,
      historyValue: Object.fromEntries(
        Object.entries(history).map((
          [id, ids],
        ) => [id, ids.map((one) => chart.getStateNodeById(one))]),
      ),
    });
  } catch (cause) {
    const said = cause instanceof Error ? cause.message : String(cause);
    throw new MachineFault(`state ${stateName(value)} cannot be restored: ${said}`, { cause });
  }
}

/** A state value as one word: `awaiting_input.menu`; parallel regions stand beside each other. */
export function stateName(value: unknown): string {
  if (typeof value !== "object" || value === null) return String(value);
  const regions = Object.entries(value).map(([name, inner]) => `${name}.${stateName(inner)}`);
  return regions.length === 1 ? regions[0]! : `(${regions.sort().join(" | ")})`;
}

/** How the state that a conversation is in takes messages that come faster than it answers. */
export function doublesOf(snapshot: AnyMachineSnapshot): Doubles {
  const byDepth = Object.entries(snapshot.getMeta() as Record<string, { doubles?: Doubles }>)
    .filter(([, meta]) => meta?.doubles !== undefined)
    .sort(([a], [b]) => b.split(".").length - a.split(".").length);
  return byDepth[0]?.[1].doubles ?? QUEUE;
}
