import { strict as assert } from "node:assert";
import { createPayer, type Payer, pricing, readAmounts, report } from "../support/charging.ts";
import { createDatabase, type Sql } from "../support/database.ts";
import { anEvent, apply, claimEvents, store } from "../support/inbound.ts";
import { dieEverywhere } from "../support/killing.ts";
import { anItem, enqueue } from "../support/outbound.ts";
import { assertBooksHold } from "../support/wallet_books.ts";

const TABLES = [
  "idempotency_keys",
  "messages",
  "sender_lanes",
  "message_statuses",
  "message_charges",
  "inbound_events",
  "wallet_accounts",
  "wallet_holds",
  "wallet_transfers",
  "wallet_entries",
];
const NOON = new Date("2026-11-22T12:00:00Z");
const GERMAN = "+4915112345678";

interface World {
  payer: Payer;
  /** Waits for its status; it holds 40,000. */
  held: string;
  /** Was charged for already. */
  charged: string;
}

// What each does, and what is held, captured and released of the message `held` in the end.
const operations: [
  title: string,
  prepare: (sql: Sql, world: World) => Promise<(sql: Sql) => Promise<unknown>>,
  amounts: number[],
][] = [
  [
    "accepting a message",
    (_, { payer }) =>
      Promise.resolve((sql) => enqueue(sql, payer, [anItem(payer, { to: GERMAN })], NOON)),
    [40_000, 0, 0],
  ],
  [
    "withdrawing a message",
    (_, { payer, held }) =>
      Promise.resolve((sql) =>
        sql`select switchyard_api.cancel_message(${payer.tenantId}, ${held}, ${NOON})`
      ),
    [0, 0, 40_000],
  ],
  [
    "charging a delivery, and another price for one before",
    async (sql, { payer, held, charged }) => {
      await store(sql, [anEvent(payer), anEvent(payer)]);
      const [first, second] = await claimEvents(sql, 10);
      return (own) =>
        apply(
          own,
          [first!, second!],
          ({ id }) =>
            id === first!.id
              ? aStatus(held, "delivered", "service")
              : aStatus(charged, "read", "marketing"),
        );
    },
    [0, 40_000, 0],
  ],
];

function aStatus(message_id: string, status: string, category: string) {
  return {
    action: "status",
    status,
    message_id,
    wamid: `wamid.${message_id}`,
    recipient: null,
    participant: null,
    at: "2026-11-22T12:00:09Z",
    pricing: pricing(category),
    errors: null,
  };
}

for (const [title, prepare, amounts] of operations) {
  Deno.test(`killed between any two statements ${title} has not happened, and can be done again`, async () => {
    await using database = await createDatabase();
    const { sql } = database;
    const payer = await createPayer(database, 1_000_000);
    const items = [0, 1].map((index) => anItem(payer, { index, to: GERMAN }));
    const [held, charged] = (await enqueue(sql, payer, items, NOON)).map(({ id }) => id!);
    const world = { payer, held: held!, charged: charged! };
    await report(sql, payer, [{
      message_id: world.charged,
      status: "delivered",
      pricing: pricing("service"),
    }]);
    const run = await prepare(sql, world);
    const connect = () => Promise.resolve(database.connect());
    const deaths = await dieEverywhere(sql, TABLES, connect, run);
    assert.ok(deaths >= 8, `${title} died ${deaths} times`);
    assert.deepEqual(await readAmounts(sql, payer, world.held), amounts);
    await assertBooksHold(sql);
  });
}
