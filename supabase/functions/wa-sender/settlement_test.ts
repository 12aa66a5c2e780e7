import { strict as assert } from "node:assert";

import type { ClaimedMessage } from "../_shared/queue/outbound.ts";
import type { SendOutcome, ToldError } from "../_shared/whatsapp/send_outcome.ts";
import { deferral, settlementOf } from "./settlement.ts";
import { aMessage as aClaimedMessage } from "./test_drain.ts";

const NOW = Date.parse("2026-11-22T12:00:00Z");
const CHANCE = { now: () => NOW, random: () => 0 };

function aMessage(overrides: Partial<ClaimedMessage> = {}): ClaimedMessage {
  return { ...aClaimedMessage(1), attempt: 3, ...overrides };
}

const TOLD: ToldError = {
  code: 130429,
  subcode: null,
  title: "Rate limit hit",
  details: null,
  fbtrace_id: null,
  http_status: 400,
};

function aRetry(overrides: Record<string, unknown> = {}): SendOutcome {
  return {
    kind: "retry",
    ...TOLD,
    cause: "throughput_exceeded",
    scope: "sender",
    delay_ms: 10_000,
    growth: 2,
    max_tries: 5,
    pause_ms: null,
    throttled: true,
    alert: false,
    ...overrides,
  } as SendOutcome;
}

Deno.test("an accepted message is settled with its wamid and the attempt it was given", () => {
  const outcome = {
    kind: "accepted",
    wamid: "wamid.1",
    wa_id: null,
    user_id: null,
    message_status: null,
  } as const;
  assert.deepEqual(settlementOf(aMessage(), outcome, CHANCE), {
    id: "m1",
    attempt: 3,
    finished_at: "2026-11-22T12:00:00.000Z",
    outcome: "accepted",
    wamid: "wamid.1",
  });
});

Deno.test("a retry is due after the outcome's delay, longer with every failure", () => {
  const dueAfterMs = (failureCount: number) => {
    const settlement = settlementOf(aMessage({ failureCount }), aRetry(), CHANCE);
    assert.equal(settlement.outcome, "retry");
    return settlement.outcome === "retry" ? Date.parse(settlement.due_at) - NOW : NaN;
  };
  assert.deepEqual([0, 1, 2].map(dueAfterMs), [10_000, 20_000, 40_000]);
});

Deno.test("a retry that has used up its tries is rejected and keeps its cause", () => {
  const settlement = settlementOf(aMessage({ failureCount: 4 }), aRetry(), CHANCE);
  assert.ok(settlement.outcome === "rejected");
  assert.equal(settlement.error.cause, "throughput_exceeded");
});

Deno.test("a retry without a limit of tries goes on until the message expires", () => {
  const outcome = aRetry({ max_tries: Infinity });
  assert.equal(settlementOf(aMessage({ failureCount: 1_000 }), outcome, CHANCE).outcome, "retry");
});

Deno.test("a refused token loses no message: the sender waits for another than this version", () => {
  const outcome = {
    kind: "credential_refused",
    ...TOLD,
    code: 190,
    cause: "token_invalid",
    scope: "tenant",
    max_tries: 2,
    alert: true,
  } as const;
  const settlement = settlementOf(aMessage({ failureCount: 99 }), outcome, CHANCE);
  assert.ok(settlement.outcome === "retry");
  assert.equal(settlement.refused_version, 1);
  assert.equal(settlement.due_at, "2026-11-22T12:00:00.000Z");
});

Deno.test("a sender that goes too fast for Meta is named, another limit's scope is not", () => {
  const [ofSender, ofPair] = [aRetry(), aRetry({ scope: "pair" })].map((outcome) =>
    settlementOf(aMessage(), outcome, CHANCE)
  );
  assert.ok(ofSender!.outcome === "retry" && ofSender!.throttled === true);
  assert.ok(ofPair!.outcome === "retry" && ofPair!.throttled === undefined);
});

Deno.test("an unknown outcome waits a minute for a status before policy decides", () => {
  const settlement = settlementOf(
    aMessage(),
    { kind: "unknown", reason: "timeout", ...TOLD },
    CHANCE,
  );
  assert.ok(settlement.outcome === "unknown");
  assert.equal(settlement.unknown_until, "2026-11-22T12:01:00.000Z");
});

Deno.test("an error tells what Meta told and leaves out what it did not", () => {
  const outcome = {
    kind: "rejected",
    ...TOLD,
    cause: "x",
    scope: "none",
    pause_ms: null,
    suppress: "none",
    alert: false,
  } as const;
  const settlement = settlementOf(aMessage(), outcome, CHANCE);
  assert.ok(settlement.outcome === "rejected");
  assert.deepEqual(settlement.error, {
    cause: "x",
    title: "Rate limit hit",
    code: 130429,
    http_status: 400,
  });
});

Deno.test("a message that was not called for is put back until the given moment", () => {
  const settlement = deferral(aMessage(), "tenant_limit", NOW + 10_000, NOW);
  assert.ok(settlement.outcome === "deferred");
  assert.equal(settlement.due_at, "2026-11-22T12:00:10.000Z");
  assert.equal(settlement.waiting_for, "tenant_limit");
});
