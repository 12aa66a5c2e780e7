import { strict as assert } from "node:assert";
import { eventually } from "../support/eventually.ts";
import { aPhoneNumber, connectPlatform, type Tenant } from "../support/platform.ts";

const platform = connectPlatform();

const CARD = `market,prefixes,currency,category,price,valid_from
Germany,49,USD,marketing,0.1365,2026-01-01
Germany,49,USD,utility,0.055,2026-01-01
Germany,49,USD,authentication,0.055,2026-01-01
Germany,49,USD,service,0.055,2026-01-01
`;
const MARKETING = 136_500;
const UTILITY = 55_000;
const A_TEMPLATE = { type: "template", template: { name: "offer", language: { code: "en" } } };

interface Price {
  held: number;
  captured: number;
  released: number;
  held_micros: string;
  captured_micros: string;
  released_micros: string;
  category: string;
  estimated: boolean;
}
interface MessageView {
  status: string;
  price: Price;
}

/** A tenant that pays from an account with so much in it, in minor units. */
async function createPayer(funds: number) {
  const tenant = await platform.createTenant();
  const asTenant = async (path: string, body: unknown, method = "POST") => {
    const answer = await platform.api(path, {
      caller: { kind: "secret", tenantId: tenant.id },
      method,
      body,
      headers: { "idempotency-key": crypto.randomUUID() },
    });
    assert.ok(answer.status < 300, answer.text);
    return answer.json<Record<string, string>>();
  };
  await asTenant("/admin/rate-cards", { name: "scenario", csv: CARD });
  const { id: accountId } = await asTenant("/wallet/accounts", { currency: "USD" });
  const topUp = { accountId, amount: funds, currency: "USD", paymentId: crypto.randomUUID() };
  await asTenant("/wallet/topups", topUp);
  const billing = { billing: "prepaid", account_id: accountId };
  await asTenant(`/admin/tenants/${tenant.id}/billing`, billing, "PUT");
  const balance = async () => {
    const caller = { kind: "secret", tenantId: tenant.id } as const;
    const account = await platform.api(`/wallet/accounts/${accountId}`, { caller });
    const { posted_micros, held_micros } = account.json<Record<string, string>>();
    return [Number(posted_micros), Number(held_micros)];
  };
  return { tenant, balance };
}

/** How the simulator treats all messages of the tenant from now on. */
function treat(tenant: Tenant, then: Record<string, unknown>): Promise<number> {
  return platform.simulator.addRule({ match: { phone_number_id: tenant.phoneNumberId }, then });
}

async function read(tenant: Tenant, id: string): Promise<MessageView> {
  return (await tenant.api(`/wa-messages/${id}`)).json<MessageView>();
}

const amounts = ({ price }: MessageView) =>
  [price.held_micros, price.captured_micros, price.released_micros].map(Number);

Deno.test("a message's life shows held, captured and released amounts", async () => {
  const { tenant, balance } = await createPayer(1_000);
  await treat(tenant, { statuses: ["sent", { status: "delivered", after_ms: 1_500 }, "read"] });
  const posted = await tenant.send({ to: aPhoneNumber(), ...A_TEMPLATE, text: undefined });
  assert.equal(posted.status, 202, posted.text);
  const { id, hold } = posted.json<{ id: string; hold: Record<string, unknown> }>();
  assert.deepEqual([hold.amount, hold.amount_micros, hold.category, hold.currency], [
    14,
    String(MARKETING),
    "marketing",
    "USD",
  ]);
  const waiting = await read(tenant, id);
  assert.deepEqual(amounts(waiting), [MARKETING, 0, 0]);
  assert.deepEqual(await balance(), [10_000_000, MARKETING]);

  const delivered = await eventually(
    () => read(tenant, id),
    ({ status, price }) => status === "read" && price.captured > 0,
  );
  assert.deepEqual(amounts(delivered), [0, UTILITY, MARKETING - UTILITY]);
  const { held, captured, released, category, estimated } = delivered.price;
  assert.deepEqual([held, captured, released, category, estimated], [0, 6, 8, "utility", false]);
  assert.deepEqual(await balance(), [10_000_000 - UTILITY, 0]);

  const page = (await tenant.api("/wa-messages")).json<{ messages: MessageView[] }>();
  assert.equal(page.messages[0]!.price.captured, 6);
});

Deno.test("a reply within Meta's free allowance costs nothing", async () => {
  const { tenant, balance } = await createPayer(1_000);
  const { id } = (await tenant.send({ to: aPhoneNumber() })).json<{ id: string }>();
  const done = await eventually(() => read(tenant, id), ({ status }) => status === "read");
  assert.deepEqual(amounts(done), [0, 0, UTILITY]);
  assert.deepEqual(await balance(), [10_000_000, 0]);
});

Deno.test("a message that fails gives back what was held", async () => {
  const { tenant, balance } = await createPayer(1_000);
  await treat(tenant, { statuses: ["sent", { status: "failed", code: 131_026 }] });
  const { id } = (await tenant.send({ to: aPhoneNumber() })).json<{ id: string }>();
  const failed = await eventually(() => read(tenant, id), ({ status }) => status === "failed");
  assert.deepEqual(amounts(failed), [0, 0, UTILITY]);
  assert.deepEqual(await balance(), [10_000_000, 0]);
});

Deno.test("webhooks that come twice and in another order charge once", async () => {
  const { tenant, balance } = await createPayer(1_000);
  await treat(tenant, {
    shuffle: true,
    duplicate_webhooks: 2,
    pricing: { type: "regular", category: "marketing" },
  });
  const ids = await Promise.all(Array.from({ length: 5 }, async () => {
    const sent = await tenant.send({ to: aPhoneNumber(), ...A_TEMPLATE, text: undefined });
    return sent.json<{ id: string }>().id;
  }));
  for (const id of ids) {
    const seen = await eventually(() => read(tenant, id), ({ status }) => status === "read");
    assert.deepEqual(amounts(seen), [0, MARKETING, 0]);
  }
  assert.deepEqual(await balance(), [10_000_000 - 5 * MARKETING, 0]);
});

Deno.test("a message that the wallet does not cover is refused with 402, and stays refused", async () => {
  const { tenant } = await createPayer(5);
  const key = crypto.randomUUID();
  const message = { to: aPhoneNumber() };
  const refused = await tenant.send(message, key);
  assert.equal(refused.status, 402, refused.text);
  const { code, needed, available, shortfall_micros } = refused.json();
  assert.deepEqual([code, needed, available, shortfall_micros], [
    "insufficient_funds",
    6,
    5,
    "5000",
  ]);
  const again = await tenant.send(message, key);
  assert.equal(again.status, 402);
  assert.equal((await tenant.api("/wa-messages")).json<{ messages: [] }>().messages.length, 0);
});

Deno.test("a batch is taken as far as the wallet covers it, or as a whole", async () => {
  const { tenant } = await createPayer(12);
  const text = { from: tenant.phoneNumberId, type: "text", text: { body: "Hello" } };
  const messages = Array.from({ length: 3 }, () => ({ ...text, to: aPhoneNumber() }));
  const post = (mode: string) =>
    tenant.api("/wa-messages/batch", {
      body: { mode, messages },
      headers: { "idempotency-key": crypto.randomUUID() },
    });
  const whole = await post("all_or_nothing");
  assert.equal(whole.status, 402, whole.text);
  assert.deepEqual([whole.json().needed, whole.json().available], [17, 12]);
  const partly = await post("as_covered");
  assert.equal(partly.status, 202, partly.text);
  const { accepted, rejected } = partly.json<{
    accepted: { index: number; hold: unknown }[];
    rejected: { index: number; problem: { status: number } }[];
  }>();
  assert.deepEqual(accepted.map(({ index }) => index), [0, 1]);
  assert.deepEqual(rejected.map(({ index, problem }) => [index, problem.status]), [[2, 402]]);
});
