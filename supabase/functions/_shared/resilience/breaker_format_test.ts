import { strict as assert } from "node:assert";
import fc from "fast-check";

import { type Breaker, BREAKER_STATES, NEW_BREAKER, OPENING_CAUSES } from "./breaker.ts";
import { decodeBreaker, encodeBreaker } from "./breaker_format.ts";

const count = fc.nat();
const plain = { noNullPrototype: true };
const breaker: fc.Arbitrary<Breaker> = fc.record({
  state: fc.constantFrom(...BREAKER_STATES),
  cause: fc.constantFrom(...OPENING_CAUSES),
  witness: fc.constantFrom("-", "*", "tenant:11111111-1111-4111-8111-111111111111"),
  generation: count,
  sinceMs: fc.maxSafeNat(),
  durationMs: count,
  failedProbes: count,
  failuresInARow: count,
  openedCount: count,
  openedAtMs: fc.maxSafeNat(),
  requests: count,
  failures: count,
  window: fc.array(fc.record({ slot: count, requests: count, failures: count }, plain), {
    maxLength: 10,
  }),
}, plain);

Deno.test("an encoded breaker decodes to itself", () => {
  fc.assert(fc.property(breaker, (it) => assert.deepEqual(decodeBreaker(encodeBreaker(it)), it)));
});

Deno.test("an encoded breaker is short", () => {
  assert.equal(encodeBreaker(NEW_BREAKER), "1 closed 0 0 0 none 0 0 - 0 0 0 0");
});

for (const line of ["", "hello", "2 closed 0 0 0 none 0 0 - 0 0 0 0", "1 closed 0 0 0"]) {
  Deno.test(`"${line}" is no breaker`, () => assert.equal(decodeBreaker(line), null));
}
