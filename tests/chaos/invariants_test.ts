import { strict as assert } from "node:assert";

import { UNDELIVERABLE } from "./call_faults.ts";
import type { Call, StoredMessage } from "./facts.ts";
import { INVARIANTS, type Seen } from "./invariants.ts";
import { drawPlan } from "./plan.ts";

const FROM = "100000000001";
const TO = "+4915110010000";

function aMessage(nth: number, overrides: Partial<StoredMessage> = {}): StoredMessage {
  return {
    id: `m${nth}`,
    phone_number_id: FROM,
    recipient: TO,
    lane: "normal",
    nth,
    status: "read",
    wamid: `wamid.${nth}`,
    attempts: [{ outcome: "accepted", cause: null }],
    statuses: ["sent", "delivered", "read"],
    dead_letters: [],
    is_free: true,
    has_error: false,
    ...overrides,
  };
}

function aCall(nth: number, overrides: Partial<Call> = {}): Call {
  return {
    phoneNumberId: FROM,
    to: TO,
    nth,
    messageId: `m${nth}`,
    outcome: "accepted",
    code: null,
    wamid: `wamid.${nth}`,
    ...overrides,
  };
}

/** A run of three messages in which all went well. */
function aRun(): Seen {
  const size = { seed: 1, messages: 3, tenants: 1, kills: 0, seconds: 1, hangs: false };
  const plan = drawPlan(size);
  plan.tenants[0]!.inbound = [{ afterMs: 0, from: TO, wamid: "wamid.in" }];
  return {
    plan,
    traffic: {
      posted: [0, 1, 2].map((nth) => ({ id: `m${nth}`, phoneNumberId: FROM, to: TO, nth })),
      wrongReplays: [],
      repetitions: 0,
      retried: 0,
    },
    facts: {
      calls: [0, 1, 2].map((nth) => aCall(nth)),
      messages: [0, 1, 2].map((nth) => aMessage(nth)),
      conversations: [{ phone_number_id: FROM, customer_phone: TO, wamids: ["wamid.in"] }],
      event_states: { applied: 10 },
      equal_events: 0,
      outbound_entries: 0,
      inbound_entries: 0,
      event_dead_letters: 0,
    },
  };
}

function brokenBy(change: (seen: Seen) => void): string[] {
  const seen = aRun();
  change(seen);
  return INVARIANTS.filter(({ broken }) => broken(seen).length > 0).map(({ title }) => title);
}

Deno.test("a run in which all went well breaks no rule", () => {
  assert.deepEqual(brokenBy(() => {}), []);
});

Deno.test("a message that was refused for good is dead with one letter, and breaks no rule", () => {
  const broken = brokenBy(({ facts }) => {
    facts.calls[1] = aCall(1, { outcome: "refused", code: UNDELIVERABLE, wamid: null });
    facts.messages[1] = aMessage(1, {
      status: "dead",
      wamid: null,
      attempts: [{ outcome: "rejected", cause: "undeliverable" }],
      statuses: [],
      dead_letters: ["undeliverable"],
      has_error: true,
    });
  });
  assert.deepEqual(broken, []);
});

Deno.test("an urgent message may be overtaken while its outcome is unknown, a normal one may not", () => {
  const overtaken = (lane: string) =>
    brokenBy(({ facts }) => {
      const attempts = [{ outcome: "unknown", cause: "worker_lost" }, {
        outcome: "accepted",
        cause: null,
      }];
      facts.calls = [aCall(1), aCall(2), aCall(0)];
      facts.messages[0] = aMessage(0, { lane, attempts });
    });
  assert.deepEqual(overtaken("urgent"), []);
  assert.match(overtaken("normal").join(), /in the order in which they were posted/);
});

const FAULTS: [fault: string, rule: RegExp, change: (seen: Seen) => void][] = [
  ["a message is gone", /is stored once/, ({ facts }) => {
    facts.messages.pop();
  }],
  ["another id was answered", /is stored once/, ({ traffic }) => {
    traffic.posted[0]!.id = "another";
  }],
  ["a repetition was answered otherwise", /gets the answer that it had/, ({ traffic }) => {
    traffic.wrongReplays.push("key");
  }],
  ["Meta accepted a message twice", /exactly once/, ({ facts }) => {
    facts.calls.push(aCall(1));
  }],
  ["Meta never accepted a message", /exactly once/, ({ facts }) => {
    facts.calls.pop();
  }],
  ["a call was for no message", /one of a stored message/, ({ facts }) => {
    facts.calls.push(aCall(1, { messageId: "x" }));
  }],
  ["a call went to somebody else", /one of a stored message/, ({ facts }) => {
    facts.calls[0] = aCall(0, { to: "+4915110010001" });
  }],
  ["a call is not on record", /on record as an attempt/, ({ facts }) => {
    facts.messages[0]!.attempts = [];
  }],
  ["a message overtook another", /in the order/, ({ facts }) => {
    facts.calls.reverse();
  }],
  ["a status was lost", /reported last/, ({ facts }) => {
    facts.messages[0]!.status = "sent";
  }],
  ["a message has another's wamid", /and Meta's id/, ({ facts }) => {
    facts.messages[0]!.wamid = "another";
  }],
  ["a message that was read shows an error", /shows an error/, ({ facts }) => {
    facts.messages[0]!.has_error = true;
  }],
  ["a status is kept twice", /status is kept once/, ({ facts }) => {
    facts.messages[0]!.statuses.push("read");
  }],
  ["a message that was read has a dead letter", /dead letter/, ({ facts }) => {
    facts.messages[0]!.dead_letters.push("outcome_unknown");
  }],
  ["a message still holds its pair", /left in a queue/, ({ facts }) => {
    facts.messages[0]!.is_free = false;
  }],
  ["a queue is not empty", /left in a queue/, ({ facts }) => {
    facts.outbound_entries = 1;
  }],
  ["an attempt is open", /has an outcome/, ({ facts }) => {
    facts.messages[0]!.attempts = [{ outcome: null, cause: null }];
  }],
  ["an event waits", /stored once and applied/, ({ facts }) => {
    facts.event_states = { pending: 1 };
  }],
  ["an event is stored twice", /stored once and applied/, ({ facts }) => {
    facts.equal_events = 1;
  }],
  ["a customer has two conversations", /one conversation/, ({ facts }) => {
    facts.conversations.push(facts.conversations[0]!);
  }],
  ["a customer's message is there twice", /with each message once/, ({ facts }) => {
    facts.conversations[0]!.wamids.push("wamid.in");
  }],
];

for (const [fault, rule, change] of FAULTS) {
  Deno.test(`the run is not sound when ${fault}`, () =>
    assert.match(brokenBy(change).join(), rule));
}
