import { strict as assert } from "node:assert";

import { drawPlan, type Size } from "./plan.ts";

const SIZE: Size = {
  seed: 42,
  messages: 1_000,
  tenants: 7,
  kills: 30,
  seconds: 60,
  hangs: true,
};

Deno.test("the same seed draws the same plan, another one another", () => {
  assert.deepEqual(drawPlan(SIZE), drawPlan(SIZE));
  assert.notDeepEqual(drawPlan({ ...SIZE, seed: 43 }).tenants, drawPlan(SIZE).tenants);
});

Deno.test("a plan has as many messages, tenants and kills as it was asked for", () => {
  const { tenants, kills } = drawPlan(SIZE);
  const messages = tenants.flatMap(({ requests }) => requests.flatMap((one) => one.messages));
  assert.deepEqual([tenants.length, messages.length, kills.length], [7, 1_000, 30]);
});

Deno.test("messages to one recipient are numbered in the order of their posting, in one lane", () => {
  for (const { requests } of drawPlan(SIZE).tenants) {
    const moments = requests.map(({ afterMs }) => afterMs);
    assert.deepEqual(moments, moments.toSorted((a, b) => a - b));
    const byRecipient = Map.groupBy(requests.flatMap(({ messages }) => messages), ({ to }) => to);
    for (const messages of byRecipient.values()) {
      assert.deepEqual(messages.map(({ nth }) => nth), messages.map((_, index) => index));
      assert.equal(new Set(messages.map(({ lane }) => lane)).size, 1);
    }
  }
});

Deno.test("two in a hundred calls lose their answer, between one and three as the seed has it", () => {
  const { tenants } = drawPlan({ ...SIZE, messages: 10_000 });
  const faults = tenants.flatMap(({ callFaults }) => callFaults);
  const lost = faults.filter(({ kind }) => kind === "answer_lost").length;
  assert.ok(lost > 100 && lost < 300, `${lost}`);
});

Deno.test("a fault counts only the calls that no earlier one of its recipient took", () => {
  for (const { requests, callFaults } of drawPlan(SIZE).tenants) {
    for (const [to, faults] of Map.groupBy(callFaults, (fault) => fault.to)) {
      const calls = requests.flatMap(({ messages }) => messages).filter((one) => one.to === to);
      const left = faults.map(() => 0);
      let befallen = 0;
      for (const _ of calls) {
        const index = faults.findIndex(({ skip }, at) =>
          left[at] !== Infinity && left[at]!++ >= skip
        );
        if (index === -1) continue;
        left[index] = Infinity;
        befallen++;
      }
      assert.equal(befallen, faults.length);
    }
  }
});

Deno.test("kills are spread over the run and name processes that there are", () => {
  const { kills } = drawPlan(SIZE);
  assert.ok(kills.every(({ afterMs }) => afterMs >= 0 && afterMs <= 60_000));
  assert.ok(kills.every(({ label }) => /^wa-(sender#[012]|(inbound|callbacks)#[01])$/.test(label)));
});
