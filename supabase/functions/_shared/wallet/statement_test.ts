import { strict as assert } from "node:assert";
import fc from "fast-check";
import { parseStatement, type Statement, statementToCsv, statementToJson } from "./statement.ts";

const sealed = {
  id: 7,
  sealed_at: "2026-12-01T12:01:00+00:00",
  hash: "ab".repeat(32),
  sequence: 12,
  account_hash: "cd".repeat(32),
};

function aStatement(
  amounts: number[],
  { opening = 0, reference = null as string | null, checkpoint = null as typeof sealed | null } =
    {},
) {
  let balance = opening;
  const page = parseStatement({
    outcome: "found",
    id: "account-1",
    currency: "USD",
    name: null,
    from: null,
    to: null,
    opening_micros: String(opening),
    entries: amounts.map((amount, index) => ({
      sequence: index + 1,
      recorded_at: "2026-12-01T12:00:00+00:00",
      event_at: "2026-12-01T12:00:00+00:00",
      transfer_id: "transfer-1",
      kind: "capture",
      payment_id: null,
      hold_id: "hold-1",
      message_id: null,
      reference,
      amount_micros: String(amount),
      balance_micros: String(balance += amount),
    })),
    closing_micros: String(balance),
    checkpoint,
    next_sequence: null,
  });
  assert.equal(page.outcome, "found");
  return page as Statement;
}

Deno.test("opening and amounts add up to closing, whatever is below a minor unit", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -1e9, max: 1e9 })), fc.integer(), (amounts, o) => {
      const told = statementToJson(aStatement(amounts, { opening: o })) as {
        opening: number;
        closing: number;
        entries: { amount: number; balance: number }[];
      };
      const sum = told.entries.reduce((total, { amount, balance }) => {
        assert.equal(total + amount, balance);
        return total + amount;
      }, told.opening);
      assert.equal(sum, told.closing);
    }),
  );
});

Deno.test("the CSV has the opening, each entry with the balance after it, and the closing, exact", () => {
  const lines = statementToCsv(aStatement([-7_300, 2_500_000], { opening: 1_000_000 })).split(
    "\r\n",
  );
  assert.deepEqual(lines, [
    "sequence,recorded_at,event_at,kind,transfer_id,payment_id,message_id,reference,amount,balance,currency",
    ",,,opening,,,,,,1.00,USD",
    "1,2026-12-01T12:00:00.000Z,2026-12-01T12:00:00.000Z,capture,transfer-1,,,,-0.0073,0.9927,USD",
    "2,2026-12-01T12:00:00.000Z,2026-12-01T12:00:00.000Z,capture,transfer-1,,,,2.50,3.4927,USD",
    ",,,closing,,,,,,3.4927,USD",
    "",
  ]);
});

const cells: [text: string, cell: string][] = [
  ["=1+1", "'=1+1"],
  ["+1", "'+1"],
  ["-1", "'-1"],
  ["@SUM(A1)", "'@SUM(A1)"],
  ["\t=1", "'\t=1"],
  ['=HYPERLINK("x"),1', `"'=HYPERLINK(""x""),1"`],
  ["a,b", '"a,b"'],
  ["a\nb", '"a\nb"'],
  ["wamid.1", "wamid.1"],
];
for (const [text, cell] of cells) {
  Deno.test(`${JSON.stringify(text)} stands in the CSV as ${JSON.stringify(cell)}`, () => {
    const csv = statementToCsv(aStatement([1], { reference: text }));
    assert.ok(csv.includes(`,${cell},0.000001,`));
  });
}

Deno.test("a statement carries the checkpoint that covers it, in JSON and as the last row of the CSV", () => {
  const page = aStatement([5], { checkpoint: sealed });
  assert.deepEqual(statementToJson(page).checkpoint, {
    id: 7,
    sealedAt: "2026-12-01T12:01:00.000Z",
    hash: sealed.hash,
    sequence: 12,
    accountHash: sealed.account_hash,
  });
  const rows = statementToCsv(page).trimEnd().split("\r\n");
  assert.equal(
    rows.at(-1),
    `12,2026-12-01T12:01:00.000Z,,checkpoint,,,,7 ${sealed.hash} ${sealed.account_hash},,,`,
  );
  assert.equal(statementToJson(aStatement([5])).checkpoint, null);
});
