import type { AnyStateMachine } from "xstate";
import { fingerprintOf } from "./fingerprint.ts";
import { MachineFault, nameOf } from "./machine.ts";
import type { MachineVersion } from "./machine.ts";

/** Every machine that conversations may run on. */
export interface Machines {
  all: readonly MachineVersion[];
  /** What new conversations begin on; undefined where there is no such machine. */
  latest(id: string): MachineVersion | undefined;
  find(id: string, version: number): MachineVersion | undefined;
}

const ID = /^[a-z][a-z0-9_]{0,62}$/;

/**
 * Registers machines, and throws where one is not what it was released as: conversations that began on
 * a version rely on it. The remedy is in the message: another version, or the old definition.
 */
export function registerMachines(versions: readonly MachineVersion[]): Machines {
  const byName = new Map<string, MachineVersion>();
  for (const one of versions) {
    check(one);
    if (byName.has(nameOf(one))) throw new MachineFault(`${nameOf(one)} is registered twice`);
    byName.set(nameOf(one), one);
  }
  const newest = new Map<string, MachineVersion>();
  for (const one of versions) {
    if (one.version > (newest.get(one.id)?.version ?? 0)) newest.set(one.id, one);
  }
  return {
    all: versions,
    latest: (id) => newest.get(id),
    find: (id, version) => byName.get(nameOf({ id, version })),
  };
}

function check(machine: MachineVersion): void {
  const { id, version, chart, fingerprint } = machine;
  if (!ID.test(id) || !Number.isInteger(version) || version < 1) {
    throw new MachineFault(`"${nameOf(machine)}" is no name of a machine`);
  }
  if (chart.id !== id) {
    throw new MachineFault(`${nameOf(machine)} has a chart called "${chart.id}"`);
  }
  const actual = fingerprintOf(chart);
  if (actual !== fingerprint) {
    throw new MachineFault(
      `${nameOf(machine)} is not what it was released as: its fingerprint is ${actual}, it was ` +
        `${fingerprint}. Give the new definition version ${version + 1} and keep this one.`,
    );
  }
  for (const word of wordsIn(chart)) {
    if (machine.words[word] === undefined) {
      throw new MachineFault(`${nameOf(machine)} has no words "${word}"`);
    }
  }
}

function wordsIn(chart: AnyStateMachine): Set<string> {
  const found = new Set<string>();
  const visit = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    const { type, params } = value as { type?: unknown; params?: { words?: string } };
    if (type === "say" && params?.words !== undefined) found.add(params.words);
    Object.values(value).forEach(visit);
  };
  visit(chart.config);
  return found;
}
