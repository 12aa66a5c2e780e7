import { strict as assert } from "node:assert";
import { sha256Hex } from "../../supabase/functions/_shared/bytes.ts";
import { createIdentify } from "../../supabase/functions/_shared/http/caller.ts";
import { serve } from "../../supabase/functions/_shared/http/serve.ts";
import { createLog } from "../../supabase/functions/_shared/telemetry/log.ts";
import { createHandler } from "../../supabase/functions/wallet/wallet.ts";
import { startTestDataApi } from "../support/data_api.ts";
import { createDatabase } from "../support/database.ts";
import { createTenant } from "../support/wallet.ts";
import { assertBooksHold } from "../support/wallet_books.ts";

/** Two instances of the function over one database, as the platform runs them. */
async function setup() {
  const stack = new AsyncDisposableStack();
  const database = stack.use(await createDatabase());
  const api = stack.use(await startTestDataApi(database));
  const keys = {
    url: api.url,
    publishableKeys: { default: api.publishableKey },
    secretKeys: { default: api.secretKey },
    jwks: JSON.parse(api.jwks),
  };
  const log = createLog({ write: () => {}, now: () => 0, fields: {} });
  const instances = [1, 2].map(() => {
    const identify = createIdentify({ call: api.callRpc, keys });
    const handler = createHandler({
      call: api.callRpc,
      identify,
      countKeyError: () => {},
      tenantsMayTopUp: true,
      verifyStripe: null,
      now: () => 0,
    });
    return serve("wallet", handler, { log, now: () => 0 });
  });

  async function createCaller(role = "finance") {
    const tenantId = await createTenant(database);
    const token = `swy_${crypto.randomUUID()}`;
    await api.callRpc("create_api_key", {
      tenant_id: tenantId,
      name: "test",
      role,
      key_hash: await sha256Hex(token),
      key_prefix: "swy_",
      actor: {},
    });
    let turn = 0;
    const ask = (
      method: string,
      path: string,
      body?: Record<string, unknown>,
      key: string = crypto.randomUUID(),
      headers: Record<string, string> = { authorization: `Bearer ${token}` },
    ) =>
      instances[turn++ % 2]!(
        new Request(`http://localhost/wallet${path}`, {
          method,
          headers: { "idempotency-key": key, ...headers },
          ...(body && { body: JSON.stringify(body) }),
        }),
      );
    const open = async (amount = 0): Promise<string> => {
      const { id } = await (await ask("POST", "/accounts", { currency: "USD" })).json();
      const topUp = { accountId: id, amount, currency: "USD", paymentId: crypto.randomUUID() };
      if (amount > 0) assert.equal((await ask("POST", "/topups", topUp)).status, 201);
      return id;
    };
    const available = async (id: string): Promise<number> =>
      (await (await ask("GET", `/accounts/${id}`)).json()).available;
    return { ask, open, available, tenantId };
  }
  return { database, api, createCaller, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

Deno.test("over HTTP money comes in, moves, and is shown in minor units", async () => {
  await using platform = await setup();
  const { ask, open, available } = await platform.createCaller();
  const [source, destination] = [await open(1_000), await open()];
  const transfer = {
    sourceAccountId: source,
    destinationAccountId: destination,
    amount: 100,
    currency: "USD",
  };
  const response = await ask("POST", "/transfer", transfer);
  assert.equal(response.status, 201);
  const { id, ...answer } = await response.json();
  assert.match(id, /^[0-9a-f-]{36}$/);
  assert.deepEqual(answer, { status: "completed", ...transfer });
  assert.equal(await available(source), 900);
  assert.equal(await available(destination), 100);
  await assertBooksHold(platform.database.sql);
});

Deno.test("over HTTP two hundred transfers with twenty keys have twenty effects", async () => {
  await using platform = await setup();
  const { ask, open, available } = await platform.createCaller();
  const [source, destination] = [await open(1_000), await open()];
  const transfer = {
    sourceAccountId: source,
    destinationAccountId: destination,
    amount: 1,
    currency: "USD",
  };
  const answers = await Promise.all(Array.from({ length: 200 }, async (_, index) => {
    const key = `transfer-of-test-${index % 20}`;
    const response = await ask("POST", "/transfer", transfer, key);
    const replayed = response.headers.get("idempotent-replayed") === "true";
    return { key, status: response.status, replayed, bytes: await response.text() };
  }));
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([201]));
  assert.equal(answers.filter(({ replayed }) => !replayed).length, 20);
  assert.equal(new Set(answers.map(({ key, bytes }) => key + bytes)).size, 20);
  assert.equal(await available(destination), 20);
  await assertBooksHold(platform.database.sql);
});

Deno.test("over HTTP two hundred holds with forty keys are forty, those that fit, each with its own answer", async () => {
  await using platform = await setup();
  const { ask, open, available } = await platform.createCaller();
  const account = await open(30);
  const answers = await Promise.all(Array.from({ length: 200 }, async (_, index) => {
    const key = `hold-of-the-test-${index % 40}`;
    const hold = { accountId: account, amount: 1, currency: "USD" };
    const response = await ask("POST", "/holds", hold, key);
    const replayed = response.headers.get("idempotent-replayed") === "true";
    return { key, status: response.status, replayed, bytes: await response.text() };
  }));
  const first = answers.filter(({ replayed }) => !replayed);
  assert.equal(first.length, 40);
  assert.equal(first.filter(({ status }) => status === 201).length, 30);
  assert.equal(first.filter(({ status }) => status === 402).length, 10);
  assert.equal(new Set(answers.map(({ key, bytes }) => key + bytes)).size, 40);
  assert.equal(await available(account), 0);
  await assertBooksHold(platform.database.sql);
});

Deno.test("over HTTP a refusal for lack of funds is told again, byte for byte", async () => {
  await using platform = await setup();
  const { ask, open } = await platform.createCaller();
  const [source, destination] = [await open(100), await open()];
  const transfer = {
    sourceAccountId: source,
    destinationAccountId: destination,
    amount: 250,
    currency: "USD",
  };
  const first = await ask("POST", "/transfer", transfer, "transfer-of-test");
  assert.equal(first.status, 402);
  const bytes = await first.text();
  const { needed, available, shortfall } = JSON.parse(bytes);
  assert.deepEqual({ needed, available, shortfall }, {
    needed: 250,
    available: 100,
    shortfall: 150,
  });
  const topUp = { accountId: source, amount: 500, currency: "USD", paymentId: "pi_1" };
  assert.equal((await ask("POST", "/topups", topUp)).status, 201);
  const again = await ask("POST", "/transfer", transfer, "transfer-of-test");
  assert.equal(again.status, 402);
  assert.equal(again.headers.get("idempotent-replayed"), "true");
  assert.equal(await again.text(), bytes);

  const other = await ask("POST", "/transfer", { ...transfer, amount: 1 }, "transfer-of-test");
  assert.equal(other.status, 422);
  assert.deepEqual((await other.json()).errors.map((error: { pointer: string }) => error.pointer), [
    "/amount",
  ]);
});

Deno.test("over HTTP the largest amounts arrive exact", async () => {
  await using platform = await setup();
  const { open, available } = await platform.createCaller();
  const most = 99_999_999_999_999;
  assert.equal(await available(await open(most)), most);
});

Deno.test("over HTTP an account of another tenant is 404, for a secret caller of it 200", async () => {
  await using platform = await setup();
  const owner = await platform.createCaller();
  const stranger = await platform.createCaller("owner");
  const account = await owner.open(100);
  assert.equal((await stranger.ask("GET", `/accounts/${account}`)).status, 404);
  const topUp = { accountId: account, amount: 1, currency: "USD", paymentId: "pi_1" };
  assert.equal((await stranger.ask("POST", "/topups", topUp)).status, 404);

  const asSecret = { apikey: platform.api.secretKey, "x-tenant-id": owner.tenantId };
  const shown = await stranger.ask("GET", `/accounts/${account}`, undefined, undefined, asSecret);
  assert.equal(shown.status, 200);
  assert.equal((await shown.json()).posted, 100);
});

Deno.test("over HTTP nobody without a key, and no operator's key, reaches the wallet", async () => {
  await using platform = await setup();
  const { ask } = await platform.createCaller("operator");
  assert.equal((await ask("POST", "/accounts", { currency: "USD" })).status, 403);
  assert.equal((await ask("POST", "/accounts", { currency: "USD" }, undefined, {})).status, 401);
});

Deno.test("over HTTP a hold is placed, captured in parts and released, and says how it ended", async () => {
  await using platform = await setup();
  const { ask, open, available } = await platform.createCaller();
  const accountId = await open(1_000);
  const hold = { accountId, amount: 600, currency: "USD" };
  const placed = await ask("POST", "/holds", { ...hold, expiresAt: "2999-01-01T01:00:00+01:00" });
  assert.equal(placed.status, 201);
  const { id, ...told } = await placed.json();
  assert.deepEqual(told, { status: "open", ...hold, expiresAt: "2999-01-01T00:00:00.000Z" });
  assert.equal(await available(accountId), 400);

  const captured = await ask("POST", `/holds/${id}/capture`, { amount: 150 }, "capture-of-a-test");
  assert.equal(captured.status, 200);
  const bytes = await captured.text();
  const { status, amount, held } = JSON.parse(bytes);
  assert.deepEqual({ status, amount, held }, { status: "open", amount: 150, held: 450 });
  const again = await ask("POST", `/holds/${id}/capture`, { amount: 150 }, "capture-of-a-test");
  assert.equal(again.headers.get("idempotent-replayed"), "true");
  assert.equal(await again.text(), bytes);

  const tooMuch = await ask("POST", `/holds/${id}/capture`, { amount: 451 });
  assert.equal(tooMuch.status, 422);
  assert.equal((await tooMuch.json()).errors[0].pointer, "/amount");
  const released = await ask("POST", `/holds/${id}/release`);
  assert.equal(released.status, 200);
  assert.equal((await released.json()).released, 450);
  const late = await ask("POST", `/holds/${id}/capture`, { amount: 1 });
  assert.equal(late.status, 409);
  assert.equal((await late.json()).code, "hold_released");
  assert.equal((await (await ask("GET", `/holds/${id}`)).json()).status, "released");
  assert.equal(await available(accountId), 850);
  await assertBooksHold(platform.database.sql);
});

const holdRefusals: [fault: string, request: Record<string, unknown>, status: number][] = [
  ["of more than is there", { amount: 101 }, 402],
  ["of nothing", { amount: 0 }, 422],
  ["of a fraction", { amount: 1.5 }, 422],
  ["of more than one movement carries", { amount: 9e15 }, 422],
  ["in another currency", { currency: "EUR" }, 422],
  ["that has expired", { expiresAt: "2020-01-01T00:00:00Z" }, 422],
  ["until a time that is none", { expiresAt: "tomorrow" }, 422],
  ["on an account that is not there", { accountId: crypto.randomUUID() }, 404],
];
Deno.test("over HTTP a hold that cannot be is refused, and nothing is held", async (t) => {
  await using platform = await setup();
  const { ask, open, available } = await platform.createCaller();
  const accountId = await open(100);
  for (const [fault, request, status] of holdRefusals) {
    await t.step(`${fault}: ${status}`, async () => {
      const hold = { accountId, amount: 1, currency: "USD", ...request };
      assert.equal((await ask("POST", "/holds", hold)).status, status);
    });
  }
  for (const path of [crypto.randomUUID(), "none"]) {
    assert.equal((await ask("POST", `/holds/${path}/capture`, { amount: 1 })).status, 404);
    assert.equal((await ask("POST", `/holds/${path}/release`)).status, 404);
    assert.equal((await ask("GET", `/holds/${path}`)).status, 404);
  }
  const { id } = await (await ask("POST", "/holds", { accountId, amount: 1, currency: "USD" }))
    .json();
  assert.equal((await ask("POST", `/holds/${id}/capture`, { amount: 9e15 })).status, 422);
  assert.equal((await ask("POST", `/holds/${id}/capture`)).status, 400);
  assert.equal((await ask("POST", `/holds/${id}/release`, undefined, "short")).status, 400);
  assert.equal(await available(accountId), 99);
});

interface ToldStatement {
  opening: number;
  closing: number;
  entries: {
    sequence: number;
    kind: string;
    amount: number;
    balance: number;
    recordedAt: string;
  }[];
  next_cursor: string | null;
}

Deno.test("over HTTP a statement's pages tell every entry once, and each adds up", async () => {
  await using platform = await setup();
  const { ask, open } = await platform.createCaller();
  const [account, other] = [await open(1_000), await open()];
  for (const amount of [100, 20, 3, 4]) {
    await ask("POST", "/transfer", {
      sourceAccountId: account,
      destinationAccountId: other,
      amount,
      currency: "USD",
    });
  }
  const seen: number[] = [];
  let cursor: string | null = "0";
  let closing = 0;
  while (cursor !== null) {
    const response = await ask("GET", `/accounts/${account}/statement?limit=2&cursor=${cursor}`);
    assert.equal(response.status, 200);
    const page: ToldStatement = await response.json();
    assert.equal(page.opening, closing);
    const sum = page.entries.reduce((total, { amount }) => total + amount, page.opening);
    assert.equal(sum, page.closing);
    seen.push(...page.entries.map(({ amount }) => amount));
    closing = page.closing;
    cursor = page.next_cursor;
  }
  assert.deepEqual(seen, [1_000, -100, -20, -3, -4]);
  assert.equal(closing, 873);

  const whole: ToldStatement = await (await ask("GET", `/accounts/${account}/statement`)).json();
  const [, second, third] = whole.entries;
  const period = `from=${second!.recordedAt}&to=${third!.recordedAt}`;
  const part: ToldStatement = await (await ask("GET", `/accounts/${account}/statement?${period}`))
    .json();
  assert.ok(part.entries.length <= 2);
  assert.equal(part.opening + part.entries.reduce((sum, e) => sum + e.amount, 0), part.closing);
  const today = new Date(second!.recordedAt).toISOString().slice(0, 10);
  const day: ToldStatement =
    await (await ask("GET", `/accounts/${account}/statement?from=${today}&to=${today}`)).json();
  assert.ok(day.entries.length > 0);
});

Deno.test("over HTTP a statement is CSV on request, and a page of it names the next", async () => {
  await using platform = await setup();
  const { ask, open } = await platform.createCaller();
  const account = await open(1_000);
  const topUp = { accountId: account, amount: 250, currency: "USD", paymentId: "=2+2" };
  await ask("POST", "/topups", topUp);
  const response = await ask("GET", `/accounts/${account}/statement?format=csv&limit=1`);
  assert.match(response.headers.get("content-type") ?? "", /^text\/csv/);
  assert.equal(response.headers.get("link"), '<?format=csv&limit=1&cursor=1>; rel="next"');
  assert.match(
    await response.text(),
    /,opening,,,,,,0.00,USD\r\n1,.*\r\n,,,closing,,,,,,10.00,USD\r\n$/,
  );
  const rest = await ask("GET", `/accounts/${account}/statement?format=csv&limit=1&cursor=1`);
  assert.equal(rest.headers.get("link"), null);
  assert.match(await rest.text(), /,'=2\+2,,,2.50,12.50,USD\r\n/);
});

const badQueries = [
  "from=yesterday",
  "to=2026-02-30",
  "from=2026-12-02&to=2026-12-01T00:00:00Z",
  "format=pdf",
  "limit=0",
  "limit=1001",
  "cursor=-1",
  "form=csv",
];
Deno.test("over HTTP a statement asked for wrongly is 422, of another tenant's account 404", async () => {
  await using platform = await setup();
  const { ask, open } = await platform.createCaller();
  const stranger = await platform.createCaller();
  const account = await open(1);
  for (const query of badQueries) {
    const response = await ask("GET", `/accounts/${account}/statement?${query}`);
    assert.equal(response.status, 422, query);
  }
  assert.equal((await stranger.ask("GET", `/accounts/${account}/statement`)).status, 404);
});
