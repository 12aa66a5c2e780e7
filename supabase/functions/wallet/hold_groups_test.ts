import { strict as assert } from "node:assert";
import { type CallRpc, DatabaseError } from "../_shared/database.ts";
import { createPlaceWalletHold } from "./hold_groups.ts";

type Args = Record<string, unknown> & { holds?: Record<string, unknown>[] };
type Answer = (args: Args) => unknown;

const hold = { account_id: "a", amount_micros: "10", currency: "USD", expires_at: null };

function mandateOf(key: string, tenant_id = "t", actor = { kind: "secret" }) {
  return { tenant_id, actor, idempotency: { key, fingerprint: "f", field_digests: {} } };
}

function placed(id: unknown) {
  return { outcome: "completed", id, ...hold };
}

const together: Answer = ({ holds = [] }) =>
  holds.map(({ index, key }) => ({ index, answer: placed(key) })).reverse();
const alone: Answer = (args) => placed((args.idempotency as { key: string }).key);

function setup({ place_wallet_hold = alone, place_wallet_holds = together } = {}) {
  const calls: { name: string; args: Args }[] = [];
  const rpcs: Record<string, Answer> = { place_wallet_hold, place_wallet_holds };
  const call = (async (name: string, args: Args) => {
    calls.push({ name, args });
    await Promise.resolve();
    return rpcs[name]!(args);
  }) as unknown as CallRpc;
  return { place: createPlaceWalletHold(call), calls };
}

Deno.test("holds that come together share calls, each with its own answer", async () => {
  const { place, calls } = setup();
  const outcomes = await Promise.all(
    Array.from({ length: 100 }, (_, n) => place(mandateOf(`key ${n}`), hold)),
  );
  assert.deepEqual(
    outcomes.map((outcome) => "id" in outcome && outcome.id),
    Array.from({ length: 100 }, (_, n) => `key ${n}`),
  );
  assert.deepEqual(calls.map(({ name }) => name), ["place_wallet_hold", "place_wallet_holds"]);
  assert.equal(calls[1]!.args.holds!.length, 99);
  assert.deepEqual(calls[1]!.args.holds![0], {
    index: 0,
    key: "key 1",
    fingerprint: "f",
    field_digests: {},
    ...hold,
  });
});

Deno.test("a refusal is the answer of the one that it is for", async () => {
  const { place } = setup({
    place_wallet_holds: ({ holds = [] }) =>
      holds.map(({ index, key }) => ({
        index,
        answer: index === 1
          ? {
            outcome: "insufficient_funds",
            currency: "USD",
            needed_micros: "10",
            available_micros: "9",
          }
          : { outcome: "replayed", answer: placed(key) },
      })),
  });
  const outcomes = await Promise.all([0, 1, 2, 3].map((n) => place(mandateOf(`key ${n}`), hold)));
  assert.deepEqual(outcomes.map(({ outcome }) => outcome), [
    "completed",
    "replayed",
    "insufficient_funds",
    "replayed",
  ]);
});

Deno.test("tenants, and callers of one tenant, never share a call", async () => {
  const { place, calls } = setup();
  await Promise.all([
    ...[1, 2, 3].map((n) => place(mandateOf(`a${n}`, "t"), hold)),
    ...[1, 2, 3].map((n) => place(mandateOf(`b${n}`, "u"), hold)),
    ...[1, 2, 3].map((n) => place(mandateOf(`c${n}`, "t", { kind: "user" }), hold)),
  ]);
  const batches = calls.filter(({ name }) => name === "place_wallet_holds");
  assert.deepEqual(batches.map(({ args }) => args.holds!.map(({ key }) => key)), [
    ["a2", "a3"],
    ["b2", "b3"],
    ["c2", "c3"],
  ]);
});

Deno.test("a key in flight keeps nobody else waiting: all are asked one by one", async () => {
  const inFlight = (key: string) => key === "key 2";
  const { place } = setup({
    place_wallet_holds: () => {
      throw new DatabaseError("Cannot place_wallet_holds", { code: "55P03", unavailable: true });
    },
    place_wallet_hold: (args) => {
      const { key } = args.idempotency as { key: string };
      return inFlight(key) ? { outcome: "in_flight" } : placed(key);
    },
  });
  const outcomes = await Promise.all([0, 1, 2, 3].map((n) => place(mandateOf(`key ${n}`), hold)));
  assert.deepEqual(outcomes.map(({ outcome }) => outcome), [
    "completed",
    "completed",
    "in_flight",
    "completed",
  ]);
});

Deno.test("one that fails alone fails alone; a batch that fails fails for its own", async () => {
  const gone = new DatabaseError("Cannot place_wallet_holds", { code: "", unavailable: true });
  const { place } = setup({
    place_wallet_holds: () => {
      throw gone;
    },
  });
  const settled = await Promise.allSettled(
    [0, 1, 2].map((n) => place(mandateOf(`key ${n}`), hold)),
  );
  assert.deepEqual(settled.map(({ status }) => status), ["fulfilled", "rejected", "rejected"]);
  assert.equal((await place(mandateOf("key 4"), hold)).outcome, "completed");
});

Deno.test("a batch without an answer for one of them is broken, not an answer", async () => {
  const { place } = setup({ place_wallet_holds: () => [] });
  const settled = await Promise.allSettled(
    [0, 1, 2].map((n) => place(mandateOf(`key ${n}`), hold)),
  );
  assert.equal(settled[1]!.status, "rejected");
});
