import { z } from "zod";
import { misbehaviourSchema, treatmentOf } from "./misbehaviours.ts";
import { digitsOf } from "../phone_numbers.ts";
import { ordinaryTreatment, type Treatment } from "./treatment.ts";

/** What `POST /_control/rules` takes. */
export const ruleSchema = z.strictObject({
  match: z.strictObject({
    phone_number_id: z.string(),
    to: z.string(),
    type: z.string(),
    template: z.string(),
    callback_data: z.string(),
  }).partial().default({}),
  /** How many matching sends to let pass before the rule begins. */
  skip: z.number().int().nonnegative().default(0),
  /** How many sends the rule applies to; left out: all. */
  times: z.number().int().positive().nullable().default(null),
  probability: z.number().min(0).max(1).default(1),
  then: misbehaviourSchema,
});

/** What a rule may look at. */
export interface Sendable {
  phone_number_id: string;
  to: string;
  type: string;
  template: string | null;
  callback_data: string | null;
}

export interface Rule extends z.output<typeof ruleSchema> {
  id: number;
  applied: number;
  seen: number;
}

/** The script of misbehaviour: for each send the first rule in force that matches decides. */
export interface Rules {
  add(rule: unknown): Rule;
  remove(id: number): boolean;
  all(): Rule[];
  treat(send: Sendable): Treatment;
  clear(): void;
}

const MOST_RULES = 10_000;

export function createRules(random: () => number): Rules {
  let rules: (Rule & { treatment: Treatment })[] = [];
  let lastId = 0;

  return {
    add(input) {
      if (rules.length >= MOST_RULES) throw new RangeError(`At most ${MOST_RULES} rules`);
      const parsed = ruleSchema.parse(input);
      // Rules keep what was written, since that is what a list of them should show.
      const written = (input as { then: Record<string, unknown> }).then;
      const rule = { ...parsed, then: written, id: ++lastId, applied: 0, seen: 0 };
      if (rule.match.to !== undefined) rule.match.to = digitsOf(rule.match.to);
      rules.push({ ...rule, treatment: treatmentOf(written) });
      return rule;
    },
    remove(id) {
      const before = rules.length;
      rules = rules.filter((rule) => rule.id !== id);
      return rules.length < before;
    },
    all: () => rules.map(({ treatment: _, ...rule }) => rule),
    treat(send) {
      for (const rule of rules) {
        if (rule.times !== null && rule.applied >= rule.times) continue;
        if (!matches(rule.match, send)) continue;
        rule.seen++;
        if (rule.seen <= rule.skip) continue;
        if (rule.probability < 1 && random() >= rule.probability) continue;
        rule.applied++;
        return rule.treatment;
      }
      return ordinaryTreatment;
    },
    clear: () => void (rules = []),
  };
}

function matches(match: Rule["match"], send: Sendable): boolean {
  return (match.phone_number_id ?? send.phone_number_id) === send.phone_number_id &&
    (match.to ?? send.to) === send.to &&
    (match.type ?? send.type) === send.type &&
    (match.template ?? send.template) === send.template &&
    (match.callback_data ?? send.callback_data) === send.callback_data;
}
