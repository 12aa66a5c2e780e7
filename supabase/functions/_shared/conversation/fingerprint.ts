import { createHash } from "node:crypto";
import type { AnyStateMachine } from "xstate";
import { canonicalJson } from "../canonical_json.ts";
import { MachineFault } from "./machine.ts";

/** Meta of states as far as the engine reads it; what else is there is for people. */
const UNREAD = new Set(["description"]);

/**
 * SHA-256 of what a conversation depends on while it runs: states, transitions, names and parameters of
 * guards and actions, delays, initial context. The same on every platform and after bundling, since it
 * is taken of data alone; a function in the definition is refused, its name belongs there. Wording and
 * the bodies of guards are not part of it.
 */
export function fingerprintOf(chart: AnyStateMachine): string {
  const definition = {
    id: chart.id,
    config: plain(chart.config, "machine"),
    delays: plain(chart.implementations.delays, "delays"),
  };
  return createHash("sha256").update(canonicalJson(definition)).digest("hex");
}

function plain(value: unknown, path: string): unknown {
  if (typeof value === "function") {
    throw new MachineFault(`${path} is a function: name it in setup(), and give the name here`);
  }
  if (Array.isArray(value)) return value.map((item, index) => plain(item, `${path}[${index}]`));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => !UNREAD.has(name))
      .map(([name, member]) => [name, plain(member, `${path}.${name}`)]),
  );
}
