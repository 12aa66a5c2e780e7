import { strict as assert } from "node:assert";

import { groupRequests } from "./batch.ts";
import { createLocalWindows } from "./local_windows.ts";
import type { ScriptRedis } from "./redis_windows.ts";
import type { SendRequest } from "./send_request.ts";
import { createSendWindows } from "./send_windows.ts";
import { HOLDERS } from "./windows_script.ts";

const START_MS = 1_800_000_000_000;
/** The clock of this Redis is ten seconds ahead. */
const REDIS_AHEAD_MS = 10_000;

type Mood = "well" | "refusing" | "hanging" | "full" | "talking nonsense";

/** A Redis that keeps its windows as it should, or fails as it is told to. */
function setup({ configured = true }: { configured?: boolean } = {}) {
  const clock = { nowMs: START_MS };
  const logged: string[] = [];
  const state = {
    mood: "well" as Mood,
    calls: 0,
    takesMs: 0,
    repliesAfterMs: 0,
    windows: createLocalWindows(),
  };
  let asked: SendRequest[] = [];

  function answer(): number[] {
    const nowMs = clock.nowMs + REDIS_AHEAD_MS;
    const verdicts = state.windows.decide(groupRequests(asked), nowMs);
    const words = verdicts.flatMap((verdict) =>
      verdict.admitted ? [0, 0] : [verdict.waitMs, HOLDERS.indexOf(verdict.by) + 1]
    );
    return [nowMs, ...words];
  }

  const answers: Record<Mood, () => Promise<unknown>> = {
    well: () => Promise.resolve(answer()),
    refusing: () => Promise.reject(new TypeError("connection refused")),
    hanging: () => new Promise(() => {}),
    full: () => Promise.reject(new Error("OOM command not allowed, command was: +15550001")),
    "talking nonsense": () => Promise.resolve(["?"]),
  };
  const redis: ScriptRedis = {
    createScript: <Answer>() => ({
      exec() {
        state.calls += 1;
        clock.nowMs += state.takesMs;
        const reply = answers[state.mood]() as Promise<Answer>;
        clock.nowMs += state.repliesAfterMs;
        return reply;
      },
    }),
  };
  const windows = createSendWindows({
    redis: configured ? redis : null,
    now: () => clock.nowMs,
    // What hangs is given up at once, after as long as it was given.
    sleep: async (ms) => {
      if (state.mood !== "hanging") return await new Promise(() => {});
      clock.nowMs += ms;
    },
    log: {
      info: (event) => logged.push(event),
      warn: (event, fields) => logged.push(`${event}: ${fields.reason}`),
    },
  });
  const admit = (requests: SendRequest[]) => windows.admit(asked = requests);
  const admitted = async (count: number, overrides: Partial<SendRequest> = {}) =>
    (await admit(many(count, overrides))).filter((admission) => admission.admitted).length;
  return { clock, state, logged, admit, admitted };
}

let recipients = 0;

function many(count: number, overrides: Partial<SendRequest> = {}): SendRequest[] {
  return Array.from({ length: count }, () => ({
    tenantId: "a",
    senderId: "s",
    recipient: `+1555${recipients += 1}`,
    lane: "normal",
    deferrals: 0,
    tenantLimit: { messages: 40, windowMs: 60_000 },
    senderPerSecond: 1_000,
    ...overrides,
  }));
}

Deno.test("without Redis this isolate gives out whole limits", async () => {
  const { admitted, logged, state } = setup({ configured: false });
  assert.equal(await admitted(50), 40);
  assert.equal(state.calls, 0);
  assert.deepEqual(logged, []);
});

Deno.test("a claim is one call, and nothing asked is none", async () => {
  const { admit, state } = setup();
  await admit(many(30));
  await admit([]);
  assert.equal(state.calls, 1);
});

Deno.test("the moment given is by the clock of the caller, not of Redis", async () => {
  const { admit, admitted, clock } = setup();
  await admitted(40);
  const [admission] = await admit(many(1));
  assert.deepEqual(admission, { admitted: false, atMs: clock.nowMs + 60_600, by: "tenant" });
});

for (const mood of ["refusing", "full", "talking nonsense"] as const) {
  Deno.test(`a Redis that is ${mood}: a quarter of each limit goes, from the same claim on`, async () => {
    const { admitted, state, logged } = setup();
    state.mood = mood;
    assert.equal(await admitted(50), 10);
    assert.equal(logged.length, 1);
  });
}

Deno.test("a Redis that hangs costs one claim a second, and those after it nothing", async () => {
  const { admitted, clock, state } = setup();
  state.mood = "hanging";
  assert.equal(await admitted(50), 10);
  assert.equal(clock.nowMs, START_MS + 1_000);
  await admitted(50);
  assert.equal(clock.nowMs, START_MS + 1_000);
  assert.equal(state.calls, 1);
});

Deno.test("a Redis that is slow but answers within a second decides", async () => {
  const { admitted, state, logged } = setup();
  state.takesMs = 900;
  assert.equal(await admitted(50), 40);
  assert.deepEqual(logged, []);
});

Deno.test("a Redis that was away is tried again after five seconds, and each change is logged once", async () => {
  const { admitted, clock, state, logged } = setup();
  state.mood = "refusing";
  await admitted(1);
  clock.nowMs += 5_000;
  await admitted(1);
  await admitted(1);
  assert.equal(state.calls, 2);
  state.mood = "well";
  clock.nowMs += 5_000;
  await admitted(1);
  await admitted(1);
  assert.equal(state.calls, 4);
  assert.deepEqual(logged, ["windows.kept_local: connection refused", "windows.shared_again"]);
});

Deno.test("only one claim at a time tries a Redis that was away", async () => {
  const { admitted, clock, state } = setup();
  state.mood = "refusing";
  await admitted(1);
  clock.nowMs += 5_000;
  await Promise.all([admitted(1), admitted(1), admitted(1)]);
  assert.equal(state.calls, 2);
});

Deno.test("what is logged of a failure does not hold the command with its recipients", async () => {
  const { admitted, state, logged } = setup();
  state.mood = "full";
  await admitted(1);
  assert.deepEqual(logged, ["windows.kept_local: OOM command not allowed"]);
});

Deno.test("this isolate sends no more than a whole limit when Redis goes", async () => {
  const { admitted, state } = setup();
  assert.equal(await admitted(35), 35);
  state.mood = "refusing";
  assert.equal(await admitted(50), 5);
});

Deno.test("this isolate sends no more than a whole limit when Redis comes back empty", async () => {
  const { admitted, clock, state } = setup();
  assert.equal(await admitted(30), 30);
  state.mood = "refusing";
  clock.nowMs += 10_000;
  assert.equal(await admitted(50), 10);
  state.mood = "well";
  state.windows = createLocalWindows();
  clock.nowMs += 10_000;
  assert.equal(await admitted(50, { deferrals: 2 }), 0);
  clock.nowMs += 60_000;
  assert.equal(await admitted(50, { deferrals: 2 }), 40);
});

Deno.test("a limit of which a part is less than one message lets one go in a longer window", async () => {
  const { admitted, clock, state } = setup();
  const slow = { tenantLimit: { messages: 1, windowMs: 60_000 } };
  state.mood = "refusing";
  assert.equal(await admitted(3, slow), 1);
  clock.nowMs += 239_000;
  assert.equal(await admitted(3, { ...slow, deferrals: 2 }), 0);
  clock.nowMs += 1_000;
  assert.equal(await admitted(3, { ...slow, deferrals: 2 }), 1);
});

Deno.test("a reply that is long under way does not make this isolate's own count the stricter one", async () => {
  const { admitted, clock, state } = setup();
  state.repliesAfterMs = 800;
  assert.equal(await admitted(40), 40);
  state.repliesAfterMs = 0;
  clock.nowMs += 59_200;
  assert.equal(await admitted(40), 40);
});

Deno.test("messages of two senders to one recipient are two pairs", async () => {
  const { admitted } = setup({ configured: false });
  const busy = { recipient: "+15550000", tenantLimit: { messages: 100, windowMs: 1_000 } };
  assert.equal(await admitted(50, busy), 45);
  assert.equal(await admitted(50, { ...busy, senderId: "t" }), 45);
});

Deno.test("urgent messages have their share of what is given out without Redis", async () => {
  const { admitted, state } = setup();
  state.mood = "refusing";
  assert.equal(await admitted(50), 10);
  assert.equal(await admitted(50, { lane: "urgent" }), 2);
});
