import { strict as assert } from "node:assert";
import { createRules, type Sendable } from "./rules.ts";
import { ordinaryTreatment } from "./treatment.ts";

const aSend = (change: Partial<Sendable> = {}): Sendable => ({
  phone_number_id: "1",
  to: "15550200001",
  type: "text",
  template: null,
  callback_data: null,
  ...change,
});
const refuse = (code: number) => ({ error: code });
const codeOf = (rules: ReturnType<typeof createRules>, change?: Partial<Sendable>) =>
  rules.treat(aSend(change)).refusal?.code ?? null;

Deno.test("without rules Meta has a good day", () => {
  assert.equal(createRules(Math.random).treat(aSend()), ordinaryTreatment);
});

Deno.test("a rule applies only to what it matches", () => {
  const rules = createRules(Math.random);
  const match = { phone_number_id: "1", to: "+1 555 020 0001", type: "text", callback_data: "x" };
  rules.add({ match, then: refuse(2) });
  assert.equal(codeOf(rules, { callback_data: "x" }), 2);
  for (
    const change of [{ phone_number_id: "2" }, { to: "15550200002" }, { type: "image" }, {
      callback_data: "y",
    }]
  ) assert.equal(codeOf(rules, { callback_data: "x", ...change }), null);
});

Deno.test("rules in a row make a sequence: each its times, then the next", () => {
  const rules = createRules(Math.random);
  rules.add({ times: 2, then: refuse(1) });
  rules.add({ times: 1, then: refuse(2) });
  assert.deepEqual(Array.from({ length: 4 }, () => codeOf(rules)), [1, 1, 2, null]);
});

Deno.test("a rule may skip the first sends", () => {
  const rules = createRules(Math.random);
  rules.add({ skip: 2, times: 1, then: refuse(1) });
  assert.deepEqual(Array.from({ length: 4 }, () => codeOf(rules)), [null, null, 1, null]);
});

Deno.test("a rule applies as often as its probability says", () => {
  const chances = [0.1, 0.9, 0.29, 0.3];
  const rules = createRules(() => chances.shift() ?? 1);
  rules.add({ probability: 0.3, then: refuse(1) });
  assert.deepEqual(Array.from({ length: 4 }, () => codeOf(rules)), [1, null, 1, null]);
});

Deno.test("a removed rule applies no more, and the list tells how often it did", () => {
  const rules = createRules(Math.random);
  const { id } = rules.add({ then: refuse(1) });
  codeOf(rules);
  assert.deepEqual(rules.all().map(({ applied, then }) => [applied, then]), [[1, refuse(1)]]);
  assert.equal(rules.remove(id), true);
  assert.equal(rules.remove(id), false);
  assert.equal(codeOf(rules), null);
});

const malformed: [string, unknown][] = [
  ["no then", {}],
  ["an empty then", { then: {} }],
  ["an unknown misbehaviour", { then: { explode: true } }],
  ["an unknown condition", { match: { colour: "red" }, then: refuse(1) }],
  ["a negative delay", { then: { delay_ms: -1 } }],
  ["an unknown status", { then: { statuses: ["seen"] } }],
  ["a probability above 1", { probability: 2, then: refuse(1) }],
  ["zero times", { times: 0, then: refuse(1) }],
];

for (const [label, rule] of malformed) {
  Deno.test(`a rule with ${label} is refused`, () => {
    assert.throws(() => createRules(Math.random).add(rule), { name: "ZodError" });
  });
}
