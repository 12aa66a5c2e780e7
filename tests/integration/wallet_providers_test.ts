import { strict as assert } from "node:assert";
import { createHmac } from "node:crypto";
import { serve } from "../../supabase/functions/_shared/http/serve.ts";
import { createLog } from "../../supabase/functions/_shared/telemetry/log.ts";
import { createStripeVerifier } from "../../supabase/functions/_shared/wallet/stripe_signature.ts";
import { createHandler } from "../../supabase/functions/wallet/wallet.ts";
import { startTestDataApi } from "../support/data_api.ts";
import { createDatabase } from "../support/database.ts";
import { connectFunctions, createTenant, walletOf } from "../support/wallet.ts";
import { assertBooksHold } from "../support/wallet_books.ts";

const SECRET = "whsec_of_a_test";
const seconds = 1_795_348_800;

async function setup() {
  const stack = new AsyncDisposableStack();
  const database = stack.use(await createDatabase());
  const api = stack.use(await startTestDataApi(database));
  const log = createLog({ write: () => {}, now: () => 0, fields: {} });
  const now = () => seconds * 1_000;
  const handler = createHandler({
    call: api.callRpc,
    identify: () => Promise.reject(new Error("A webhook is nobody's caller")),
    countKeyError: () => {},
    tenantsMayTopUp: true,
    verifyStripe: createStripeVerifier([SECRET]),
    now,
  });
  const answer = serve("wallet", handler, { log, now });
  const post = (text: string, secret = SECRET) => {
    const v1 = createHmac("sha256", secret).update(`${seconds}.${text}`).digest("hex");
    return answer(
      new Request("http://localhost/wallet/providers/stripe", {
        method: "POST",
        body: text,
        headers: { "stripe-signature": `t=${seconds},v1=${v1}` },
      }),
    );
  };

  const [sql] = await connectFunctions(database);
  const wallet = walletOf(sql!, await createTenant(database));
  const account = await wallet.open();
  let count = 0;
  const metadata = { switchyard_account_id: account };
  const objects: Record<string, Record<string, unknown>> = {
    "payment_intent.succeeded": { id: "pi_1", amount_received: 5_000, currency: "usd", metadata },
    "checkout.session.completed": {
      payment_status: "paid",
      payment_intent: "pi_1",
      amount_total: 5_000,
      currency: "usd",
      metadata,
    },
    "charge.refunded": {
      payment_intent: "pi_1",
      amount_refunded: 1_000,
      currency: "usd",
      metadata,
    },
    "charge.dispute.funds_withdrawn": {
      id: "dp_1",
      payment_intent: "pi_1",
      amount: 5_000,
      currency: "usd",
    },
    "charge.dispute.funds_reinstated": {
      id: "dp_1",
      payment_intent: "pi_1",
      amount: 5_000,
      currency: "usd",
    },
  };
  /** Each has an id of its own unless it is told one. */
  const tell = async (type: string, overrides: Record<string, unknown> = {}, id?: string) => {
    const object = { ...objects[type], ...overrides };
    const event = { id: id ?? `evt_${++count}`, type, created: seconds, data: { object } };
    const response = await post(JSON.stringify(event));
    return { status: response.status, ...await response.json() };
  };
  const cents = async () => Number((await wallet.show(account)).posted_micros) / 10_000;
  const broken = async () => {
    const [row] = await database.sql`
      select switchyard.check_wallet_invariants('-infinity', now() + interval '2 hours') as n`;
    return row!.n;
  };
  return {
    database,
    owner: database.sql,
    wallet,
    account,
    post,
    tell,
    cents,
    broken,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

Deno.test("a payment is credited once, however often and by whichever of its notices it is told", async () => {
  await using world = await setup();
  const { tell, cents, owner, account } = world;
  const first = await tell("payment_intent.succeeded", {}, "evt_same");
  assert.deepEqual(first, { status: 200, received: true, outcome: "completed" });
  assert.equal((await tell("payment_intent.succeeded", {}, "evt_same")).outcome, "replayed");
  assert.equal((await tell("payment_intent.succeeded")).outcome, "replayed");
  assert.equal((await tell("checkout.session.completed")).outcome, "replayed");
  assert.equal(await cents(), 5_000);
  const [transfer] = await owner`
    select actor, event_at from switchyard.wallet_transfers where kind = 'top_up'`;
  assert.deepEqual(transfer!.actor, { kind: "provider", id: "stripe" });
  assert.equal(transfer!.event_at.getTime(), seconds * 1_000);
  const [entry] = await owner`
    select event_at, created_at between clock_timestamp() - interval '1 hour' and clock_timestamp()
      as recorded_now
    from switchyard.wallet_entries where account_id = ${account}`;
  assert.equal(entry!.event_at.getTime(), seconds * 1_000);
  assert.equal(entry!.recorded_now, true);
  await assertBooksHoldAndNothingFound(world);
});

Deno.test("notices that come at once credit once", async () => {
  await using world = await setup();
  const told = await Promise.all(
    Array.from(
      { length: 12 },
      (_, n) =>
        world.tell(
          n % 2 ? "payment_intent.succeeded" : "checkout.session.completed",
          {},
          `evt_${n % 4}`,
        ),
    ),
  );
  assert.ok(told.every(({ status }) => status === 200));
  assert.equal(told.filter(({ outcome }) => outcome === "completed").length, 1);
  assert.equal(await world.cents(), 5_000);
  await assertBooksHoldAndNothingFound(world);
});

Deno.test("what is not signed by the provider moves nothing", async () => {
  await using world = await setup();
  const object = {
    id: "pi_1",
    amount_received: 5,
    currency: "usd",
    metadata: { switchyard_account_id: world.account },
  };
  const forged = {
    id: "evt_1",
    type: "payment_intent.succeeded",
    created: seconds,
    data: { object },
  };
  const response = await world.post(JSON.stringify(forged), "whsec_guessed");
  assert.equal(response.status, 401);
  assert.equal((await response.json()).code, "invalid_signature");
  assert.equal(await world.cents(), 0);
});

Deno.test("what is signed and not understood is 422 and moves nothing", async () => {
  await using world = await setup();
  assert.equal((await world.post("{")).status, 422);
  assert.equal((await world.tell("payment_intent.succeeded", { amount_received: 0 })).status, 422);
  assert.equal((await world.tell("payout.paid")).outcome, "other_type");
  assert.equal(await world.cents(), 0);
});

Deno.test("a payment for an account that is not there is written down, and found until somebody credits it", async () => {
  await using world = await setup();
  const { tell, wallet, account, broken, owner } = world;
  const metadata = { switchyard_account_id: crypto.randomUUID() };
  const told = await tell("payment_intent.succeeded", { metadata });
  assert.deepEqual([told.status, told.outcome], [200, "unknown_account"]);
  assert.equal(await broken(), 1);
  const [finding] = await owner`select rule, detail from switchyard.wallet_findings`;
  assert.equal(finding!.rule, "notice_is_applied");
  assert.equal(finding!.detail.payment_id, "pi_1");
  await owner`select switchyard_api.top_up_account(${wallet.tenantId},
    ${
    owner.json({
      account_id: account,
      amount_micros: "50000000",
      currency: "USD",
      payment_id: "pi_1",
    })
  },
    ${owner.json({ key: "by hand", fingerprint: "0".repeat(64), field_digests: {} })},
    '{"kind":"secret"}')`;
  assert.equal(await broken(), 0);
});

Deno.test("a payment in another currency than its account's, or told with other fields, is found", async () => {
  await using world = await setup();
  assert.equal(
    (await world.tell("payment_intent.succeeded", { currency: "eur" })).outcome,
    "currency_mismatch",
  );
  await world.tell("payment_intent.succeeded");
  const other = await world.tell("checkout.session.completed", { amount_total: 4_000 });
  assert.equal(other.outcome, "payment_reused");
  assert.equal(await world.cents(), 5_000);
  assert.equal(await world.broken(), 2);
  await world.owner`update switchyard.wallet_provider_events set settled_at = now()`;
  assert.equal(await world.broken(), 0);
});

Deno.test("a refund tells how much was refunded in all: what it adds is taken, once", async () => {
  await using world = await setup();
  const { tell, cents } = world;
  await tell("payment_intent.succeeded");
  assert.equal((await tell("charge.refunded", { amount_refunded: 1_500 })).outcome, "completed");
  assert.equal(await cents(), 3_500);
  assert.equal((await tell("charge.refunded", { amount_refunded: 1_000 })).outcome, "replayed");
  assert.equal((await tell("charge.refunded", { amount_refunded: 5_000 })).outcome, "completed");
  assert.equal(await cents(), 0);
  const more = await tell("charge.refunded", { amount_refunded: 5_001 });
  assert.equal(more.outcome, "exceeds_payment");
  assert.equal(await cents(), 0);
  await assertBooksHold(world.owner);
});

Deno.test("a refund that comes before its payment waits for it", async () => {
  await using world = await setup();
  const { tell, cents, broken } = world;
  assert.equal((await tell("charge.refunded")).outcome, "waiting");
  assert.equal(await broken(), 1, "for two hours by now");
  assert.equal((await tell("payment_intent.succeeded")).outcome, "completed");
  assert.equal(await cents(), 4_000);
  await assertBooksHoldAndNothingFound(world);
});

Deno.test("a refund and its payment that come at once never miss each other", async () => {
  await using world = await setup();
  for (let turn = 0; turn < 5; turn++) {
    const id = `pi_race_${turn}`;
    await Promise.all([
      world.tell("charge.refunded", { payment_intent: id }),
      world.tell("payment_intent.succeeded", { id }),
    ]);
  }
  assert.equal(await world.cents(), 5 * 4_000);
  await assertBooksHoldAndNothingFound(world);
});

Deno.test("what was spent before it was disputed is owed, stops new holds, and is forgiven by a dispute won", async () => {
  await using world = await setup();
  const { tell, wallet, account, cents } = world;
  await tell("payment_intent.succeeded");
  const { id } = await wallet.hold(account, { amount_micros: 30_000_000 });
  assert.equal((await tell("charge.dispute.funds_withdrawn")).outcome, "completed");
  assert.equal((await tell("charge.dispute.funds_withdrawn")).outcome, "replayed");
  assert.equal(await cents(), 3_000, "what is held stays held");
  const refused = await wallet.hold(account, { amount_micros: 1 });
  assert.deepEqual(refused, {
    outcome: "debt_outstanding",
    currency: "USD",
    owed_micros: "30000000",
  });
  await wallet.release(id!);
  assert.equal((await tell("charge.dispute.funds_reinstated")).outcome, "completed");
  assert.equal((await tell("charge.dispute.funds_reinstated")).outcome, "replayed");
  assert.equal(await cents(), 5_000);
  assert.equal((await wallet.hold(account, { amount_micros: 1 })).outcome, "completed");
  await assertBooksHoldAndNothingFound(world);
});

Deno.test("a dispute told backwards ends as told in order", async () => {
  await using world = await setup();
  const { tell, cents } = world;
  assert.equal((await tell("charge.dispute.funds_reinstated")).outcome, "waiting");
  assert.equal((await tell("charge.dispute.funds_withdrawn")).outcome, "waiting");
  assert.equal((await tell("payment_intent.succeeded")).outcome, "completed");
  assert.equal(await cents(), 5_000);
  const kinds = await world.owner`
    select kind from switchyard.wallet_transfers order by created_at, kind desc`;
  assert.deepEqual(kinds.map(({ kind }) => kind).sort(), ["correction", "dispute", "top_up"]);
  await assertBooksHoldAndNothingFound(world);
});

Deno.test("what a tenant credits to itself under a provider's name is not what the provider takes back", async () => {
  await using world = await setup();
  const { tell, database, cents } = world;
  const [sql] = await connectFunctions(database);
  const stranger = walletOf(sql!, await createTenant(database));
  const theirs = await stranger.open();
  await stranger.topUp(theirs, { payment_id: "pi_1", amount_micros: 50_000_000 });
  assert.equal((await tell("charge.refunded")).outcome, "waiting");
  await tell("payment_intent.succeeded");
  assert.equal(await cents(), 4_000);
  assert.equal((await stranger.show(theirs)).posted_micros, "50000000");
});

async function assertBooksHoldAndNothingFound(
  { owner, broken }: Awaited<ReturnType<typeof setup>>,
): Promise<void> {
  await assertBooksHold(owner);
  assert.equal(await broken(), 0);
}
