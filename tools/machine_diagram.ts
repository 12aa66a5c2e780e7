import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition } from "xstate";

/** A machine as a mermaid state diagram: every state and transition of its definition, in its order. */
export function machineDiagram(chart: AnyStateMachine): string {
  const lines = ["stateDiagram-v2"];
  writeStates(lines, chart.root, "  ");
  for (const node of allNodes(chart.root)) {
    lines.push(...arrowsOf(node));
    if (node.type === "final") lines.push(`  ${idOf(node)} --> [*]`);
  }
  return lines.join("\n");
}

function writeStates(lines: string[], node: AnyStateNode, indent: string): void {
  const initial = node.initial.target[0];
  if (initial !== undefined) lines.push(`${indent}[*] --> ${idOf(initial)}`);
  for (const child of childrenOf(node)) {
    if (child.type === "history") {
      lines.push(`${indent}state "where it was" as ${idOf(child)}`);
    } else if (childrenOf(child).length > 0) {
      lines.push(`${indent}state "${child.key}" as ${idOf(child)} {`);
      writeStates(lines, child, `${indent}  `);
      lines.push(`${indent}}`);
    } else {
      lines.push(`${indent}state "${child.key}" as ${idOf(child)}`);
    }
  }
}

// Events that do the same share an arrow. What holds in every state is a note: arrows would hide the rest.
function arrowsOf(node: AnyStateNode): string[] {
  const events = new Map<string, string[]>();
  for (const { target, guard, eventType, actions } of transitionsOf(node)) {
    const detail = [guardText(guard), saidText(actions)].filter(Boolean).join(" ");
    for (const to of target ?? []) {
      const arrow = JSON.stringify([idOf(to), detail]);
      events.set(arrow, [...(events.get(arrow) ?? []), labelOf(eventType)].filter(Boolean));
    }
  }
  return [...events].map(([arrow, names]) => {
    const [to, detail] = JSON.parse(arrow);
    const label =
      [gathered(names, node.machine.events).join(", "), detail].filter(Boolean).join(" ") ||
      "otherwise";
    return node.parent === undefined
      ? `  note right of ${to} : from every state by ${label}`
      : `  ${idOf(node)} --> ${to} : ${label}`;
  });
}

// Arrows for whatever a customer does are many, and the names of all three hide what they lead to.
function gathered(names: string[], known: readonly string[]): string[] {
  const kinds = new Set(names.map((name) => name.split(".", 1)[0]!));
  return [...kinds].flatMap((kind) => {
    const of = (list: readonly string[]) => list.filter((name) => name.startsWith(`${kind}.`));
    const all = of(known);
    return all.length > 1 && all.every((name) => names.includes(name))
      ? [`${kind}.*`]
      : names.filter((name) => name.split(".", 1)[0] === kind);
  });
}

function transitionsOf(node: AnyStateNode): AnyTransitionDefinition[] {
  return [...node.transitions.values()].flat().concat(node.always ?? []);
}

function allNodes(node: AnyStateNode): AnyStateNode[] {
  return [node, ...childrenOf(node).flatMap(allNodes)];
}

function childrenOf(node: AnyStateNode): AnyStateNode[] {
  return Object.values(node.states);
}

function idOf(node: AnyStateNode): string {
  return node.path.join("_");
}

function labelOf(eventType: string): string {
  const after = /^xstate\.after\.(\d+)\./.exec(eventType)?.[1];
  return after === undefined ? eventType : `after ${duration(Number(after))}`;
}

function duration(ms: number): string {
  const minutes = ms / 60_000;
  return minutes >= 60 ? `${minutes / 60} h` : `${minutes} min`;
}

function guardText(guard: unknown): string {
  if (guard === undefined || guard === null) return "";
  if (typeof guard === "string") return `[${guard}]`;
  const { type, params } = guard as { type: string; params?: Record<string, unknown> };
  return `[${[type, ...Object.values(params ?? {})].join(" ")}]`;
}

function saidText(actions: readonly unknown[]): string {
  const words = actions.flatMap((action) => {
    const { type, params } = action as { type: string; params?: { words?: string } };
    return type === "say" && params?.words !== undefined ? [params.words] : [];
  });
  return words.length === 0 ? "" : `/ ${words.join(", ")}`;
}
