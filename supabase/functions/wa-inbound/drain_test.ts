import { strict as assert } from "node:assert";

import { DatabaseError } from "../_shared/database.ts";
import type { ClaimedEvent, EventEffect } from "../_shared/queue/inbound.ts";
import { createLog } from "../_shared/telemetry/log.ts";
import { drain } from "./drain.ts";

const LIMITS = { batch: 2, maxEvents: 100, maxDurationMs: 1_000, maxIdleMs: 0 };

function anEvent(id: number, attempt = 1): ClaimedEvent {
  const status = { id: `wamid.${id}`, status: "read", timestamp: "1763812800" };
  return {
    id,
    attempt,
    queueEntryId: id,
    kind: "status",
    field: "messages",
    eventAt: null,
    payload: { status },
  };
}

function setup(
  events: ClaimedEvent[],
  apply?: (effects: { event: ClaimedEvent; effect: EventEffect }[]) => void,
) {
  const waiting = [...events];
  const applied: [id: number, action: string][] = [];
  const waits: number[] = [];
  let handedOn = 0;
  const deps = {
    queue: {
      claim: (batch: number) => Promise.resolve(waiting.splice(0, batch)),
      apply: (effects: { event: ClaimedEvent; effect: EventEffect }[]) => {
        try {
          apply?.(effects);
        } catch (error) {
          return Promise.reject(error);
        }
        for (const { event, effect } of effects) applied.push([event.id, effect.action]);
        return Promise.resolve(effects.map(() => true));
      },
      handOn: () => {
        handedOn += 1;
        return Promise.resolve();
      },
    },
    conversations: {
      advanceSome: () => Promise.resolve(0),
      nextWakeAt: () => Promise.resolve(null),
    },
    now: () => 0,
    sleep: (ms: number) => {
      waits.push(ms);
      return Promise.resolve();
    },
    random: () => 1,
    log: createLog({ write: () => {}, now: () => 0, fields: {} }),
  };
  return { deps, applied, waits, handOns: () => handedOn };
}

function refuse(id: number) {
  return (effects: { event: ClaimedEvent; effect: EventEffect }[]) => {
    const isBad = effects.some(({ event, effect }) =>
      event.id === id && effect.action === "status"
    );
    if (isBad) {
      throw new DatabaseError("Cannot apply_events: bad", { code: "22003", unavailable: false });
    }
  };
}

function away(code: string): DatabaseError {
  return new DatabaseError("Cannot apply_events: away", { code, unavailable: true });
}

Deno.test("a drain applies everything that waits, batch by batch", async () => {
  const { deps, applied } = setup([1, 2, 3].map((id) => anEvent(id)));
  const report = await drain(deps, LIMITS, { stop: new AbortController().signal });
  assert.deepEqual([report.claimed, report.applied], [3, 3]);
  assert.equal(applied.length, 3);
});

Deno.test("an event that cannot be applied harms no other of its batch and is tried again later", async () => {
  const { deps, applied } = setup([anEvent(1), anEvent(2)], refuse(1));
  const report = await drain(deps, LIMITS, { stop: new AbortController().signal });
  assert.deepEqual(applied, [[1, "retry"], [2, "status"]]);
  assert.deepEqual([report.applied, report.dead], [1, 0]);
});

Deno.test("an event that failed three times is dead", async () => {
  const { deps, applied } = setup([anEvent(1, 3)], refuse(1));
  const report = await drain(deps, LIMITS, { stop: new AbortController().signal });
  assert.deepEqual(applied, [[1, "dead"]]);
  assert.equal(report.dead, 1);
});

for (const code of ["40001", "40P01", "08006", "57P01"]) {
  Deno.test(`a batch that the database did not take this once (${code}) is applied in the same drain`, async () => {
    let refusals = 2;
    const { deps, applied, waits } = setup([anEvent(1), anEvent(2)], () => {
      refusals -= 1;
      if (refusals >= 0) throw away(code);
    });
    const report = await drain(deps, LIMITS, { stop: new AbortController().signal });
    assert.deepEqual(applied, [[1, "status"], [2, "status"]]);
    assert.deepEqual([report.applied, report.duplicates], [2, 0]);
    assert.deepEqual(waits, [200, 400]);
  });
}

Deno.test("a database that stays away fails the drain within its lease: nothing is dead", async () => {
  const { deps, applied, waits } = setup([anEvent(1)], () => {
    throw away("08006");
  });
  await assert.rejects(drain(deps, LIMITS, { stop: new AbortController().signal }), /away/);
  assert.deepEqual(applied, []);
  assert.ok(waits.reduce((sum, ms) => sum + ms, 0) < 10_000);
});

Deno.test("a drain that has spent its events hands on", async () => {
  const { deps, handOns } = setup([1, 2, 3, 4].map((id) => anEvent(id)));
  const report = await drain(deps, { ...LIMITS, maxEvents: 2 }, {
    stop: new AbortController().signal,
  });
  assert.equal(report.claimed, 2);
  assert.equal(handOns(), 1);
});

Deno.test("a drain that is asked to stop claims nothing more", async () => {
  const { deps } = setup([anEvent(1)]);
  assert.equal((await drain(deps, LIMITS, { stop: AbortSignal.abort() })).claimed, 0);
});
