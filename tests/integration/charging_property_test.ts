import { strict as assert } from "node:assert";
import fc from "fast-check";

import {
  type Category,
  createPayer,
  type Payer,
  pricing,
  RATES,
  readAmounts,
  type Report,
  report,
} from "../support/charging.ts";
import { createDatabase, type Sql, type TestDatabase } from "../support/database.ts";
import { redrive } from "../support/dead_letters.ts";
import { accepted, anItem, claim, enqueue, readMessages, settle } from "../support/outbound.ts";
import { assertBooksHold } from "../support/wallet_books.ts";

const START = Date.parse("2026-11-22T12:00:00Z");
const FUNDS = 100_000_000;

/** What may happen to the messages of a tenant; each names its message and call by small numbers. */
type Step =
  | { kind: "report"; message: number; call: number; status: string; told: Told; at: number }
  | { kind: "send"; outcome: "accepted" | "rejected" | "unknown" | "retry" }
  | { kind: "redrive" | "tick" }
  | { kind: "cancel"; message: number };

type Told = Category | "free" | "nothing";

const MESSAGES = ["text", "template", "text", "template"] as const;
const told = fc.constantFrom<Told>("marketing", "utility", "service", "free", "nothing");
const aReport = fc.record({
  kind: fc.constant("report" as const),
  message: fc.nat(MESSAGES.length - 1),
  call: fc.nat(1),
  status: fc.constantFrom("sent", "delivered", "read", "failed", "delivered", "read"),
  told,
  at: fc.nat(5),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  { arbitrary: aReport, weight: 6 },
  {
    arbitrary: fc.record({
      kind: fc.constant("send" as const),
      outcome: fc.constantFrom("accepted", "rejected", "unknown", "retry"),
    }),
    weight: 3,
  },
  {
    arbitrary: fc.record({ kind: fc.constantFrom("redrive" as const, "tick" as const) }),
    weight: 2,
  },
  {
    arbitrary: fc.record({
      kind: fc.constant("cancel" as const),
      message: fc.nat(MESSAGES.length - 1),
    }),
    weight: 1,
  },
);
/** Some steps come again later, as webhooks do. */
const history = fc.array(step, { minLength: 3, maxLength: 22 }).chain((steps) =>
  fc.array(fc.nat(steps.length - 1), { maxLength: 6 }).map((again) => [
    ...steps,
    ...again.map((nth) => steps[nth]!),
  ])
);

function toReport(one: Extract<Step, { kind: "report" }>, ids: string[]): Report {
  const message_id = ids[one.message]!;
  return {
    message_id,
    status: one.status,
    wamid: `wamid.${message_id}.${one.call}`,
    at: new Date(START + one.at * 1_000).toISOString(),
    pricing: one.told === "nothing"
      ? null
      : one.told === "free"
      ? pricing("service", "free_customer_service")
      : pricing(one.told),
  };
}

/** What all reports together say that a message costs, whichever came first. */
function costOf(reports: Report[], held: number): number {
  const calls = Map.groupBy(reports, ({ wamid }) => wamid);
  let cost = 0;
  for (const ofCall of calls.values()) {
    const deliveries = ofCall.filter(({ status }) => status === "delivered" || status === "read");
    if (deliveries.length === 0) continue;
    const sent = ofCall.filter(({ status }) => status === "sent");
    const price = latestPrice(deliveries) ?? latestPrice(sent);
    if (price === undefined) cost += held;
    else if (price.type === "regular") cost += RATES[price.category as Category];
  }
  return cost;
}

function latestPrice(reports: Report[]) {
  const priced = reports.filter(({ pricing }) => pricing !== null) as {
    at: string;
    pricing: ReturnType<typeof pricing>;
  }[];
  // As Postgres writes jsonb: shorter names first. Of two at one moment the first in the alphabet.
  const text = ({ type, category, billable }: ReturnType<typeof pricing>) =>
    JSON.stringify([type, billable, category]);
  return priced.toSorted((a, b) =>
    b.at.localeCompare(a.at) || (text(a.pricing) < text(b.pricing) ? -1 : 1)
  )[0]?.pricing;
}

async function begin(database: TestDatabase): Promise<{ payer: Payer; ids: string[] }> {
  const payer = await createPayer(database, FUNDS);
  const items = MESSAGES.map((type, index) =>
    anItem(payer, {
      type,
      content: type === "text" ? { body: "hi" } : { name: "offer", language: { code: "en" } },
      to: `+49151123456${10 + index}`,
      on_unknown: index % 2 === 0 ? "resend" : "dead_letter",
    })
  );
  const answers = await enqueue(database.sql, payer, items, new Date(START));
  return { payer, ids: answers.map(({ id }) => id!) };
}

async function take(sql: Sql, payer: Payer, ids: string[], one: Step, at: Date): Promise<void> {
  switch (one.kind) {
    case "report":
      await report(sql, payer, [toReport(one, ids)]);
      return;
    case "send": {
      const outcomes = {
        accepted,
        rejected: () => ({ outcome: "rejected", error: { cause: "wrong_parameters" } }),
        unknown: () => ({ outcome: "unknown", unknown_until: at.toISOString() }),
        retry: () => ({ outcome: "retry", due_at: at.toISOString(), error: { cause: "busy" } }),
      };
      await settle(sql, await claim(sql, 100, at), outcomes[one.outcome], at);
      return;
    }
    case "redrive":
      await redrive(sql, payer.tenantId, { cause: "wrong_parameters" }, { rate: 1000, at });
      return;
    case "tick":
      await sql`select switchyard.tick(${at})`;
      return;
    case "cancel":
      await sql`select switchyard_api.cancel_message(${payer.tenantId}, ${ids[one.message]!})`;
  }
}

/** What must hold after every step, whatever happened before. */
async function assertCharged(sql: Sql, payer: Payer, ids: string[], reports: Report[]) {
  const open = ["queued", "sending", "outcome_unknown", "sent"];
  let charged = 0;
  for (const message of await readMessages(sql, payer)) {
    const index = ids.indexOf(message.id);
    const rate = MESSAGES[index] === "text" ? RATES.service : RATES.marketing;
    const ofMessage = reports.filter(({ message_id }) => message_id === message.id);
    const [held, captured] = await readAmounts(sql, payer, message.id);
    assert.equal(held, open.includes(message.status) ? rate : 0, `held for ${message.status}`);
    assert.equal(captured, costOf(ofMessage, rate), `captured for ${message.status}`);
    charged += captured!;
  }
  const { posted_micros } = await payer.wallet.show(payer.account);
  assert.equal(Number(posted_micros), FUNDS - charged);
}

Deno.test("however reports, sends and redrives mix, what was delivered is charged and nothing else", async () => {
  await using database = await createDatabase();
  const { sql } = database;
  await fc.assert(
    fc.asyncProperty(history, async (steps) => {
      const { payer, ids } = await begin(database);
      const reports: Report[] = [];
      for (const [nth, one] of steps.entries()) {
        await take(sql, payer, ids, one, new Date(START + 60_000 * (nth + 1)));
        if (one.kind === "report") reports.push(toReport(one, ids));
        await assertCharged(sql, payer, ids, reports);
      }
      await assertBooksHold(sql);
    }),
    { numRuns: Number(Deno.env.get("CHARGING_RUNS") ?? 30) },
  );
});

Deno.test("reports on many connections at once charge what they say in any order", async () => {
  await using database = await createDatabase();
  const { sql } = database;
  const connections = Array.from({ length: 6 }, () => database.connect());
  await fc.assert(
    fc.asyncProperty(fc.array(aReport, { minLength: 6, maxLength: 24 }), async (steps) => {
      const { payer, ids } = await begin(database);
      const reports = steps.map((one) => toReport(one, ids));
      await Promise.all(reports.map(async (one, nth) => {
        const connection = connections[nth % connections.length]!;
        await applyOne(connection, payer, one);
      }));
      await assertCharged(sql, payer, ids, reports);
      await assertBooksHold(sql);
    }),
    { numRuns: 15 },
  );
});

// Statuses as apply_events hands them on, which locks its messages before their money.
async function applyOne(sql: Sql, payer: Payer, one: Report): Promise<void> {
  await sql.begin(async (transaction) => {
    const [event] = await transaction`
      insert into switchyard.inbound_events (event_key, kind, tenant_id, sender_id, field, payload)
      values (sha256(${crypto.randomUUID()}), 'status', ${payer.tenantId}, ${payer.senderId},
        'messages', '{}') returning id`;
    const item = { recipient: null, participant: null, errors: null, ...one, id: event!.id };
    const [applied] = await transaction`
      select switchyard.apply_statuses(${sql.json([item] as never)}) as ids`;
    await transaction`select switchyard.follow_charges(${applied!.ids}, ${new Date(START)})`;
  });
}
