import { strict as assert } from "node:assert";
import { FALLBACK_RULES, GRAPH_ERROR_RULES, SEND_SUBCODE_RULES } from "./graph_error_table.ts";
import type { GraphErrorRule } from "./graph_error_table.ts";

const page = new URL("../../../../docs/meta-errors.md", import.meta.url);

function codeOf(rule: GraphErrorRule): string {
  if (rule.through !== undefined) return `${rule.code}–${rule.through}`;
  const subcode = rule.subcode === undefined ? "" : `/${rule.subcode}`;
  return `${rule.code}${subcode}${rule.details === undefined ? "" : " (timed out)"}`;
}

function durationOf(ms: number): string {
  if (ms < 60_000) return `${ms / 1_000} s`;
  return ms < 3_600_000 ? `${ms / 60_000} min` : `${ms / 3_600_000} h`;
}

function actionOf(rule: GraphErrorRule): string {
  const tries = rule.max_tries === Infinity ? "until it expires" : `${rule.max_tries} tries`;
  switch (rule.outcome) {
    case "retry":
      return `again after ${durationOf(rule.delay_ms)}${
        rule.growth === 2 ? "" : ` × ${rule.growth}ⁿ`
      }, ${tries}`;
    case "pause":
      return `waits ${durationOf(rule.delay_ms)} with its ${rule.scope}, ${tries}`;
    case "credential":
      return "once more with a fresh token, then waits for an operator";
    case "dead":
      return rule.pause_ms === null
        ? "dead"
        : `dead, and the ${rule.scope} rests ${durationOf(rule.pause_ms)}`;
  }
}

function rowOf(rule: GraphErrorRule, first: string): string {
  const notes = [
    rule.throttled ? "slow down" : "",
    rule.suppress === "none" ? "" : `suppress: ${rule.suppress.replaceAll("_", " ")}`,
    rule.unknown_on_5xx ? "unknown with a 5xx" : "",
    rule.alert ? "alert" : "",
  ].filter((note) => note !== "");
  return `| ${first} | ${rule.title} | \`${rule.cause}\` | ${rule.scope} | ${actionOf(rule)} | ${
    notes.join(", ")
  } |`;
}

// The formatter pads the cells of a table.
function cellsOf(row: string): string {
  return row.split("|").map((cell) => cell.trim()).join("|");
}

Deno.test("docs/meta-errors.md says of every rule what the table says", async () => {
  const lines = (await Deno.readTextFile(page)).split("\n");
  const rows = [
    ...GRAPH_ERROR_RULES.map((rule) => rowOf(rule, codeOf(rule))),
    ...SEND_SUBCODE_RULES.map((rule) => rowOf(rule, `any/${rule.code}`)),
    ...Object.entries(FALLBACK_RULES).map(([name, rule]) => rowOf(rule, name.replaceAll("_", " "))),
  ];
  const isRule = (line: string) => /^\|[^|]*\|[^|]*\| `\w+`/.test(line);
  assert.deepEqual(lines.filter(isRule).map(cellsOf), rows.map(cellsOf));
});
