import { strict as assert } from "node:assert";

import { DatabaseError } from "../database.ts";
import type { CallRpc } from "../database.ts";
import { createLog } from "../telemetry/log.ts";
import { createReadBreaker } from "./read_breaker.ts";
import { createStoredTokens } from "./stored_tokens.ts";

const row = { sender_id: "s1", credential_version: 3, access_token: "token-1" };

function anError(code: string, unavailable: boolean) {
  return new DatabaseError("Cannot read_credentials", { code, unavailable });
}

const UNAVAILABLE = anError("PGRST002", true);

type Answer = unknown[] | Error | "hang" | null;

/** Answers are given one after the other, the last one for ever. */
function setup(...answers: Answer[]) {
  const asked: unknown[] = [];
  const waits: number[] = [];
  const states: string[] = [];
  const lines: string[] = [];
  const clock = { nowMs: 1_000_000 };
  const call = ((_name: string, args: { sender_ids: string[] }) => {
    asked.push(args.sender_ids);
    const answer = answers.length > 1 ? answers.shift()! : answers[0]!;
    if (answer === "hang") return new Promise(() => {});
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
  }) as unknown as CallRpc;
  const now = () => clock.nowMs;
  const random = () => 0.999;
  const stored = createStoredTokens({
    call,
    breaker: createReadBreaker({ now, random, onChange: (state) => states.push(state) }),
    // Deadlines of calls that are answered are aborted before they pass.
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        signal?.addEventListener("abort", reject);
        queueMicrotask(async () => {
          for (let turn = 0; turn < 20; turn++) await Promise.resolve();
          if (signal?.aborted) return;
          waits.push(ms);
          resolve();
        });
      }),
    random,
    log: createLog({ write: (line) => lines.push(line), now: () => 0, fields: {} }),
  });
  return { stored, asked, waits, states, lines, clock };
}

Deno.test("the tokens of all senders are read in one call, each with its version", async () => {
  const second = { sender_id: "s2", credential_version: 1, access_token: "token-2" };
  const { stored, asked } = setup([row, second]);
  const tokens = await stored.read(["s1", "s2", "s3"]);
  assert.deepEqual([...tokens], [
    ["s1", { version: 3, value: "token-1" }],
    ["s2", { version: 1, value: "token-2" }],
  ]);
  assert.deepEqual(asked, [["s1", "s2", "s3"]]);
});

Deno.test("a row without a token is refused: its tenant is suspended", async () => {
  const { stored } = setup([{ ...row, access_token: null }]);
  assert.deepEqual((await stored.read(["s1"])).get("s1"), { refused: "suspended" });
});

const transient: [label: string, answer: Answer][] = [
  ["a database that cannot be reached", anError("", true)],
  ["503 and 504 of the Data API", UNAVAILABLE],
  ["408 and 500 of a gateway, which carry no code", anError("", false)],
  ["a failing disk", anError("58030", false)],
  ["an internal error", anError("XX000", false)],
  ["a connection that breaks", new TypeError("connection reset")],
  ["success without rows, as of a gateway's empty 404", null],
];
for (const [label, answer] of transient) {
  Deno.test(`${label} is tried again`, async () => {
    const { stored, asked } = setup(answer, [row]);
    assert.equal((await stored.read(["s1"])).size, 1);
    assert.equal(asked.length, 2);
  });
}

const final: [label: string, code: string][] = [
  ["a missing function", "PGRST202"],
  ["a missing grant", "42501"],
  ["a malformed id", "22P02"],
];
for (const [label, code] of final) {
  Deno.test(`${label} is not tried again`, async () => {
    const { stored, asked, lines } = setup(anError(code, false));
    await assert.rejects(stored.read(["s1"]), DatabaseError);
    assert.equal(asked.length, 1);
    assert.match(lines.join(), /credentials\.read_failed/);
  });
}

Deno.test("a read has three retries, at most 100, 200 and 400 ms apart", async () => {
  const { stored, asked, waits } = setup(UNAVAILABLE);
  await assert.rejects(stored.read(["s1"]), DatabaseError);
  assert.equal(asked.length, 4);
  assert.deepEqual(waits, [100, 200, 400]);
});

Deno.test("a call that hangs ends after five seconds and is tried again", async () => {
  const { stored, asked, waits } = setup("hang", [row]);
  assert.equal((await stored.read(["s1"])).size, 1);
  assert.equal(asked.length, 2);
  assert.deepEqual(waits, [5_000, 100]);
});

Deno.test("five failures in a row open the breaker: nothing is called for a minute", async () => {
  const { stored, asked, states, lines, clock } = setup(UNAVAILABLE);
  await assert.rejects(stored.read(["s1"]), DatabaseError);
  await assert.rejects(stored.read(["s1"]), { name: "BreakerOpen" });
  assert.equal(asked.length, 5);
  assert.deepEqual(states, ["open"]);
  const told = lines.length;
  clock.nowMs += 59_999;
  await assert.rejects(stored.read(["s1"]), { name: "BreakerOpen" });
  assert.equal(asked.length, 5);
  assert.equal(lines.length, told);
});

Deno.test("after a minute one call may try, and its success closes the breaker", async () => {
  const { stored, asked, states, clock } = setup(...Array(5).fill(UNAVAILABLE), [row]);
  await assert.rejects(stored.read(["s1"]));
  await assert.rejects(stored.read(["s1"]));
  clock.nowMs += 60_000;
  const [first, second] = await Promise.allSettled([stored.read(["s1"]), stored.read(["s2"])]);
  assert.deepEqual([first.status, second.status], ["fulfilled", "rejected"]);
  assert.equal(asked.length, 6);
  await stored.read(["s2"]);
  assert.deepEqual(states, ["open", "half_open", "closed"]);
});

Deno.test("a try that fails opens the breaker for another minute", async () => {
  const { stored, asked, states, clock } = setup(UNAVAILABLE);
  await assert.rejects(stored.read(["s1"]));
  await assert.rejects(stored.read(["s1"]));
  clock.nowMs += 60_000;
  await assert.rejects(stored.read(["s1"]));
  clock.nowMs += 59_999;
  await assert.rejects(stored.read(["s1"]), { name: "BreakerOpen" });
  assert.equal(asked.length, 6);
  assert.deepEqual(states, ["open", "half_open", "open"]);
});

Deno.test("failures with a success between them do not open the breaker", async () => {
  const { stored, states } = setup(...Array(3).fill(UNAVAILABLE), [row], UNAVAILABLE);
  await stored.read(["s1"]);
  await assert.rejects(stored.read(["s1"]), DatabaseError);
  assert.deepEqual(states, []);
});
