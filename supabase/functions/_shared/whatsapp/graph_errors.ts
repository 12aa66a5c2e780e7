import { GRAPH_ERROR_RULES, SEND_SUBCODE_RULES } from "./graph_error_table.ts";
import type { GraphErrorRule } from "./graph_error_table.ts";

/** What an error says about itself, in an answer to a send or in a status webhook. */
export interface GraphErrorSigns {
  code: number;
  subcode?: number | null;
  details?: string | null;
}

const rulesByCode = indexByCode();
const ranges = GRAPH_ERROR_RULES.filter(({ through }) => through !== undefined);

/** The rule for an error; null where nobody knows the code. A narrower rule wins over a wider one. */
export function findGraphErrorRule(signs: GraphErrorSigns): GraphErrorRule | null {
  const { code, subcode, details } = signs;
  const ofSend = SEND_SUBCODE_RULES.find((rule) => rule.code === subcode);
  if (ofSend !== undefined) return ofSend;
  const rules = rulesByCode.get(code) ?? [];
  return rules.find((rule) => rule.subcode !== undefined && rule.subcode === subcode) ??
    rules.find((rule) => rule.details?.test(details ?? "") ?? false) ??
    rules.find((rule) => rule.subcode === undefined && rule.details === undefined) ??
    ranges.find((rule) => rule.code <= code && code <= rule.through!) ??
    null;
}

function indexByCode(): Map<number, GraphErrorRule[]> {
  const index = new Map<number, GraphErrorRule[]>();
  for (const rule of GRAPH_ERROR_RULES) {
    if (rule.through !== undefined) continue;
    index.set(rule.code, [...index.get(rule.code) ?? [], rule]);
  }
  return index;
}
