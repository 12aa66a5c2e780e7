import { strict as assert } from "node:assert";
import { heldRow, refuseUnpaid, tellHeld, unpaidRows, withMinorUnits } from "./payment.ts";

const funds = { currency: "USD", needed_micros: "120000", available_micros: "79999" };

Deno.test("a hold is told in minor units, never less than it is, and exactly", () => {
  const held = heldRow.parse({
    id: "h",
    currency: "USD",
    amount_micros: "40001",
    category: "service",
    market: "Germany",
  });
  const { amount, amount_micros } = tellHeld(held);
  assert.deepEqual([amount, amount_micros], [5, "40001"]);
});

Deno.test("lack of funds is 402 and says what is needed, there and missing", () => {
  const row = unpaidRows[0].parse({ index: 0, outcome: "insufficient_funds", detail: funds });
  assert.deepEqual(refuseUnpaid(row), {
    status: 402,
    code: "insufficient_funds",
    detail: "The wallet does not hold enough: top up, then send with a new idempotency key.",
    currency: "USD",
    needed: 12,
    available: 7,
    shortfall: 5,
    needed_micros: "120000",
    available_micros: "79999",
    shortfall_micros: "40001",
  });
});

Deno.test("a debt is 402 and says how much is owed", () => {
  const detail = { currency: "JPY", owed_micros: "1000001" };
  const { status, code, owed } = refuseUnpaid(
    unpaidRows[1].parse({ index: 0, outcome: "debt_outstanding", detail }),
  );
  assert.deepEqual([status, code, owed], [402, "debt_outstanding", 2]);
});

Deno.test("a day's limit is 402 and says what was spent and when it begins anew", () => {
  const detail = {
    currency: "USD",
    needed_micros: "40001",
    limit_micros: "5000000",
    spent_micros: "4990000",
    resets_at: "2026-12-02T00:00:00+00:00",
  };
  const { status, code, needed, limit, spent, resets_at } = refuseUnpaid(
    unpaidRows[2].parse({ index: 0, outcome: "spending_limit_reached", detail }),
  );
  assert.deepEqual([status, code], [402, "spending_limit_reached"]);
  assert.deepEqual([needed, limit, spent, resets_at], [5, 500, 499, "2026-12-02T00:00:00.000Z"]);
});

Deno.test("a market without a price is 422 and points at the recipient", () => {
  const refusal = refuseUnpaid(
    unpaidRows[3].parse({ index: 0, outcome: "no_rate", detail: { currency: "USD" } }),
  );
  assert.deepEqual([refusal.status, refusal.code], [422, "no_rate"]);
  assert.deepEqual(refusal.errors, [{ pointer: "/to", detail: "is in a market without a price" }]);
});

Deno.test("amounts of a message stand in minor units beside the exact ones", () => {
  const price = {
    currency: "USD",
    held_micros: "0",
    captured_micros: "50001",
    released_micros: "69999",
    category: "utility",
  };
  assert.deepEqual(withMinorUnits({ id: "m", price }), {
    id: "m",
    price: { ...price, held: 0, captured: 6, released: 6 },
  });
});

Deno.test("a price that Meta told of a message that nobody pays for stays as it is", () => {
  const message = { id: "m", price: { billable: true, category: "utility" } };
  assert.equal(withMinorUnits(message), message);
});
