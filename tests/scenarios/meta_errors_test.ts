import { strict as assert } from "node:assert";

import { GRAPH_ERROR_RULES } from "../../supabase/functions/_shared/whatsapp/graph_error_table.ts";
import { eventually } from "../support/eventually.ts";
import { endGrace, endWaits } from "../support/passing_time.ts";
import { aPhoneNumber, connectPlatform, type Tenant } from "../support/platform.ts";
import { openPlatformDatabase } from "../support/platform_database.ts";
import { type MessageView, outcomesOf, post, untilMessage } from "../support/sending.ts";

// What Meta's documentation says of each code, written down once more and apart from the table that the
// functions use: a row that somebody changes there has to be changed here, on purpose.
// https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes (2026-09-08)

/** An answer of Meta: its code, and what else it says. */
interface Answer {
  code: number;
  http?: number;
  subcode?: number;
  details?: string;
  is_transient?: boolean;
}

/** One answer, whom it is given to, and the message that it was the answer to. */
interface Case {
  answer: Answer;
  tenant: Tenant;
  to: string;
  id: string;
}

const platform = connectPlatform();
const TEMPLATE = { name: "order_shipped", language: { code: "de" } };

const answersOf = (codes: readonly number[], rest: Omit<Answer, "code"> = {}): Answer[] =>
  codes.map((code) => ({ code, http: 400, ...rest }));

const DEAD: Answer[] = [
  ...answersOf([100, 131008, 131009, 131020, 131021, 131026, 131030, 131035, 131036, 131041]),
  ...answersOf([130403, 130472, 131044, 131047, 131049, 131050, 131051, 131052, 131053, 131055]),
  ...answersOf([131059, 131060, 131062, 131063, 131201, 131209, 131215, 134011, 136024, 137000]),
  ...answersOf([132000, 132005, 132008, 132012, 132018, 132068, 134100, 139000, 139004, 139100]),
  ...answersOf([133005, 133008, 133009, 133016, 138000, 138999, 139101, 139200, 147001, 147005]),
  ...answersOf([200005, 200007, 1752041, 2388001, 2388012, 2388019, 2388039, 2388040, 2388047]),
  ...answersOf([2388072, 2388073, 2388091, 2388093, 2388103, 2388293, 2388299, 2388318, 2388330]),
  ...answersOf([2593079, 2593085, 2593107, 2593108]),
  ...answersOf([130497, 131207], { http: 403 }),
  ...answersOf([803], { http: 404 }),
  ...answersOf([133000, 134102], { http: 500 }),
  ...answersOf([100], { subcode: 2388009 }),
];

const RETRIED: Answer[] = [
  ...answersOf([1, 4, 341, 613, 80007, 80008, 131208, 132069, 134101, 135000, 139102, 139103]),
  ...answersOf([131000, 131016], { http: 500 }),
  ...answersOf([2, 133004], { http: 503 }),
  ...answersOf([130429, 131056], { http: 429 }),
  { code: 130429, http: 400, subcode: 2494055 },
  { code: 131053, http: 400, details: "The download of the media timed out" },
  // Codes that nobody knows yet.
  { code: 999_999, http: 400 },
  { code: 999_998, http: 400, is_transient: true },
  { code: 999_997, http: 429 },
];

const CREDENTIAL: Answer[] = [
  ...answersOf([0, 102, 104, 190, 999_999], { http: 401 }),
  ...[458, 459, 460, 463, 464, 467, 492].map((subcode) => ({ code: 190, http: 401, subcode })),
  ...answersOf([10, 200, 210, 299, 131005], { http: 403 }),
  { code: 3, http: 500 },
];

type Scope = "tenant" | "sender" | "template";

/** What waits, and the scope with it. */
const PAUSED: [scope: Scope, answers: Answer[]][] = [
  ["tenant", answersOf([368, 131031], { http: 403 })],
  ["tenant", answersOf([131042])],
  ["sender", answersOf([131037, 131048, 133006, 133010, 133015, 2494100])],
  ["sender", answersOf([131045, 131057], { http: 500 })],
  ["template", answersOf([131064, 132015])],
];

/** What is dead, and the scope rests. */
const DEAD_AND_PAUSED: [scope: Scope, answers: Answer[]][] = [
  ["sender", [...answersOf([33]), { code: 100, http: 400, subcode: 33 }]],
  ["template", [...answersOf([132007, 132016]), { code: 132001, http: 404 }]],
];

/** Lets Meta answer so to the next message from this sender to a new recipient, and posts that message. */
async function meet(tenant: Tenant, answer: Answer, isTemplate = false): Promise<Case> {
  const to = aPhoneNumber();
  await platform.simulator.addRule({
    match: { phone_number_id: tenant.phoneNumberId, to },
    times: 1,
    then: { error: answer },
  });
  const content = isTemplate ? { type: "template", template: TEMPLATE, text: undefined } : {};
  return { answer, tenant, to, id: await post(tenant, { to, ...content }) };
}

function until({ tenant, id }: Case, accept: (message: MessageView) => boolean) {
  return untilMessage(tenant, id, accept);
}

const isAnswered = ({ attempts }: MessageView) => attempts[0]?.outcome !== undefined;
const isRead = ({ status }: MessageView) => status === "read";

/** Does this for all cases at once; what fails names its case. */
async function forEach<T, R>(
  cases: readonly T[],
  describe: (one: T) => unknown,
  run: (one: T) => Promise<R>,
): Promise<R[]> {
  return await Promise.all(cases.map((one) =>
    run(one).catch((cause) => {
      throw new Error(`${JSON.stringify(describe(one))}: ${cause.message}`, { cause });
    })
  ));
}

async function callsFor({ tenant, to }: Case): Promise<string[]> {
  const calls = await platform.simulator.received({ phone_number_id: tenant.phoneNumberId, to });
  return calls.map(({ outcome }) => outcome);
}

async function senderIdOf({ phoneNumberId }: Tenant): Promise<string> {
  await using database = openPlatformDatabase(platform);
  const [sender] = await database.sql<{ id: string }[]>`
    select id from switchyard.senders where phone_number_id = ${phoneNumberId}`;
  return sender!.id;
}

async function breakerOf(scope: Scope, tenant: Tenant): Promise<string> {
  switch (scope) {
    case "tenant":
      return `tenant:${tenant.id}`;
    case "sender":
      return `sender:${await senderIdOf(tenant)}`;
    case "template":
      return `template:${tenant.businessAccountId}:${TEMPLATE.name}:${TEMPLATE.language.code}`;
  }
}

async function untilOpen(scope: string): Promise<void> {
  const state = async () => {
    const answer = await platform.api("/admin/breakers");
    const { breakers } = answer.json<{ breakers: { scope: string; state: string }[] }>();
    return breakers.find((breaker) => breaker.scope === scope)?.state;
  };
  await eventually(state, (it) => it === "open", { intervalMs: 500 });
}

Deno.test("every code that the functions know is among the answers here", () => {
  const answers = [
    ...[DEAD, RETRIED, CREDENTIAL],
    ...[...PAUSED, ...DEAD_AND_PAUSED].map(([, rows]) => rows),
  ].flat();
  const missing = GRAPH_ERROR_RULES.filter(({ code, through = code, subcode, details }) =>
    !answers.some((answer) =>
      code <= answer.code && answer.code <= through &&
      answer.subcode === (subcode ?? answer.subcode) &&
      (details === undefined || details.test(answer.details ?? ""))
    )
  );
  assert.deepEqual(missing.map(({ code, subcode }) => [code, subcode]), []);
});

Deno.test("what Meta refuses for good is dead after one call, with a letter that names the cause", async () => {
  const tenant = await platform.createTenant({ throughput_per_second: 1_000 });
  const cases = await forEach(DEAD, (answer) => answer, (answer) => meet(tenant, answer));
  await forEach(cases, ({ answer }) => answer, async (one) => {
    const message = await until(one, ({ status }) => status === "dead");
    assert.equal(message.error?.code, one.answer.code);
    assert.deepEqual(outcomesOf(message), ["rejected"]);
    assert.deepEqual(await callsFor(one), ["refused"]);
  });
  const { dead_letters: letters } = (await tenant.api("/admin/dead-letters?limit=200"))
    .json<{ dead_letters: { message_id: string; cause: string }[] }>();
  assert.deepEqual(
    new Set(letters.map(({ message_id }) => message_id)),
    new Set(cases.map(({ id }) => id)),
  );
  assert.ok(letters.every(({ cause }) => /^[a-z_]+$/.test(cause)));
});

Deno.test("what Meta refuses for a while is tried again and arrives once", async () => {
  const cases = await forEach(RETRIED, (answer) => answer, async (answer) => {
    const tenant = await platform.createTenant();
    return await meet(tenant, answer);
  });
  await using database = openPlatformDatabase(platform);
  await forEach(cases, ({ answer }) => answer, async (one) => {
    const first = await until(one, isAnswered);
    assert.deepEqual([first.attempts[0]!.outcome, first.attempts[0]!.error?.code], [
      "retry",
      one.answer.code,
    ]);
    await endWaits(database.sql, one.tenant.id);
    assert.deepEqual(outcomesOf(await until(one, isRead)), ["retry", "accepted"]);
    assert.deepEqual(await callsFor(one), ["refused", "accepted"]);
  });
});

Deno.test("a number that Meta calls too fast is slowed, and no other", async () => {
  const [fast, other] = [await platform.createTenant(), await platform.createTenant()];
  await until(await meet(fast, { code: 130429, http: 429 }), isAnswered);
  await until(await meet(other, { code: 131056, http: 429 }), isAnswered);
  await using database = openPlatformDatabase(platform);
  const slowed = await database.sql<{ tenant_id: string; per_second: number }[]>`
    select tenant_id, slowed_per_second::float as per_second from switchyard.senders
    where tenant_id in (${fast.id}, ${other.id}) and slowed_per_second is not null`;
  assert.deepEqual(slowed.map(({ tenant_id }) => tenant_id), [fast.id]);
  // Half of 80, and perhaps raised a little since.
  assert.ok(slowed[0]!.per_second < 60);
});

Deno.test("a refused token pauses its sender, which needs attention; the message goes with the next token", async () => {
  const cases = await forEach(CREDENTIAL, (answer) => answer, async (answer) => {
    const tenant = await platform.createTenant();
    return await meet(tenant, answer);
  });
  await forEach(cases, ({ answer }) => answer, async (one) => {
    const { tenant, answer } = one;
    const waiting = await until(one, isAnswered);
    assert.deepEqual([waiting.status, outcomesOf(waiting)], ["queued", ["retry"]]);
    const { attention } = (await platform.api("/admin/attention", {
      caller: { kind: "secret", tenantId: tenant.id },
    })).json<{ attention: { phone_number_id: string; detail: { code: number } }[] }>();
    assert.deepEqual(
      attention.map(({ phone_number_id, detail }) => [phone_number_id, detail.code]),
      [[tenant.phoneNumberId, answer.code]],
    );

    await platform.simulator.putNumber(tenant.phoneNumberId, { access_tokens: ["next"] });
    const path = `/admin/tenants/${tenant.id}/senders/${tenant.phoneNumberId}/credential`;
    const rotated = await platform.api(path, { method: "PUT", body: { access_token: "next" } });
    assert.equal(rotated.status, 200, rotated.text);
    assert.deepEqual(outcomesOf(await until(one, isRead)), ["retry", "accepted"]);
  });
});

Deno.test("what Meta blocks waits with its whole tenant, number or template, and goes when that is reset", async () => {
  const rows = PAUSED.flatMap(([scope, answers]) => answers.map((answer) => ({ scope, answer })));
  await forEach(rows, (row) => row, async ({ scope, answer }) => {
    const tenant = await platform.createTenant();
    const one = await meet(tenant, answer, scope === "template");
    const waiting = await until(one, isAnswered);
    assert.deepEqual([waiting.status, outcomesOf(waiting)], ["queued", ["retry"]]);
    const breaker = await breakerOf(scope, tenant);
    await untilOpen(breaker);

    await using database = openPlatformDatabase(platform);
    await endWaits(database.sql, tenant.id);
    const held = await until(one, ({ waiting_for }) => waiting_for !== undefined);
    assert.deepEqual([held.waiting_for, outcomesOf(held)], [`breaker:${breaker}`, ["retry"]]);
    const path = `/admin/breakers/${encodeURIComponent(breaker)}/reset`;
    assert.equal((await platform.api(path, { body: {} })).status, 200);
    assert.deepEqual(outcomesOf(await until(one, isRead)), ["retry", "accepted"]);
  });
});

Deno.test("a number or template that is no more is dead for this message and rests for the others", async () => {
  const rows = DEAD_AND_PAUSED.flatMap(([scope, answers]) =>
    answers.map((answer) => ({ scope, answer }))
  );
  await forEach(rows, (row) => row, async ({ scope, answer }) => {
    const tenant = await platform.createTenant();
    const one = await meet(tenant, answer, scope === "template");
    const message = await until(one, ({ status }) => status === "dead");
    assert.deepEqual(outcomesOf(message), ["rejected"]);
    await untilOpen(await breakerOf(scope, tenant));
  });
});

Deno.test("an answer that leaves open what happened is unknown: a status settles it, else it is sent again", async () => {
  const tenant = await platform.createTenant();
  const taken = { tenant, to: aPhoneNumber(), answer: { code: 0 } };
  await platform.simulator.addRule({
    match: { phone_number_id: tenant.phoneNumberId, to: taken.to },
    then: { accept_then_500: true },
  });
  const [unclear, settled] = [
    await meet(tenant, { code: 1, http: 500 }),
    { ...taken, id: await post(tenant, { to: taken.to }) },
  ];
  assert.deepEqual(outcomesOf(await until(settled, isRead)), ["unknown"]);
  assert.deepEqual(await callsFor(settled), ["accepted"]);
  assert.equal((await until(unclear, isAnswered)).status, "outcome_unknown");
  await using database = openPlatformDatabase(platform);
  await endGrace(database.sql, tenant.id);
  assert.deepEqual(outcomesOf(await until(unclear, isRead)), ["unknown", "accepted"]);
});

Deno.test("what Meta takes and cannot deliver has failed, with its reason", async () => {
  const tenant = await platform.createTenant();
  const answer = { code: 131026, when: "async" } as Answer;
  const message = await until(await meet(tenant, answer), ({ status }) => status === "failed");
  assert.equal(message.error?.code, 131026);
  assert.deepEqual(outcomesOf(message), ["accepted"]);
});
