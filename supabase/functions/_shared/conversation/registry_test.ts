import { strict as assert } from "node:assert";
import { assign, setup } from "xstate";

import { fingerprintOf } from "./fingerprint.ts";
import { MachineFault } from "./machine.ts";
import { registerMachines } from "./registry.ts";
import { restoreSnapshot } from "./snapshot.ts";

const chartKit = setup({
  actions: { say: (_, _params: { words: string }) => {}, count: assign({ n: 1 }) },
  guards: { isTrue: () => true },
});

function aChart(after = 1_000, id = "greeter") {
  return chartKit.createMachine({
    id,
    initial: "quiet",
    states: {
      quiet: { on: { "customer.wrote": "greeted" } },
      greeted: {
        entry: { type: "say", params: { words: "hello" } },
        after: { [after]: "quiet" },
      },
    },
  });
}

function aMachine(overrides: Record<string, unknown> = {}) {
  const chart = aChart();
  const words = { hello: () => ({ type: "text", content: { body: "Hello" } }) };
  return {
    id: "greeter",
    version: 1,
    fingerprint: fingerprintOf(chart),
    chart,
    words,
    ...overrides,
  };
}

Deno.test("a machine keeps its fingerprint however often it is built", () => {
  assert.equal(fingerprintOf(aChart()), fingerprintOf(aChart()));
  assert.match(fingerprintOf(aChart()), /^[0-9a-f]{64}$/);
});

Deno.test("a changed definition under the same version is refused, and the refusal says what to do", () => {
  const changed = aMachine({ chart: aChart(2_000) });
  assert.throws(() => registerMachines([changed]), (error: Error) => {
    assert.ok(error instanceof MachineFault);
    assert.match(error.message, /greeter@1 is not what it was released as/);
    assert.match(error.message, /Give the new definition version 2/);
    return true;
  });
});

Deno.test("new conversations begin on the newest version, and the others stay known", () => {
  const next = aChart(2_000);
  const second = aMachine({ version: 2, chart: next, fingerprint: fingerprintOf(next) });
  const machines = registerMachines([second, aMachine()]);
  assert.equal(machines.latest("greeter"), second);
  assert.equal(machines.find("greeter", 1)?.version, 1);
  assert.equal(machines.latest("other"), undefined);
});

Deno.test("a function in a definition is refused with its place: it could change unseen", () => {
  const chart = chartKit.createMachine({
    id: "greeter",
    initial: "quiet",
    states: { quiet: { on: { "customer.wrote": { guard: () => true, target: "quiet" } } } },
  });
  assert.throws(
    () => fingerprintOf(chart),
    /machine\.states\.quiet\.on\.customer\.wrote\.guard is a function/,
  );
});

for (
  const [label, broken, message] of [
    ["words that nobody wrote", { words: {} }, /has no words "hello"/],
    ["a chart of another name", { chart: aChart(1_000, "other") }, /has a chart called "other"/],
    ["a name that is none", { id: "Greeter!" }, /is no name of a machine/],
    ["a version that is no number", { version: 0 }, /is no name of a machine/],
  ] as const
) {
  Deno.test(`a machine with ${label} is refused`, () => {
    assert.throws(() => registerMachines([aMachine(broken)]), message);
  });
}

Deno.test("a machine cannot be registered twice", () => {
  assert.throws(() => registerMachines([aMachine(), aMachine()]), /registered twice/);
});

Deno.test("a snapshot of a state that the machine does not have is refused by name", () => {
  const stored = { status: "active" as const, value: "gone", context: {}, history: {} };
  assert.throws(() => restoreSnapshot(aChart(), stored), /state gone cannot be restored/);
});
