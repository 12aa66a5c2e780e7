import { strict as assert } from "node:assert";

import type { Arrival } from "./callbacks.ts";
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

function anArrival(overrides: Partial<Arrival> = {}): Arrival {
  const told = {
    phoneNumberId: FROM,
    id: "c0",
    type: "message.status",
    data: { message_id: "m0", status: "read", to: TO },
    taken: true,
    ...overrides,
  };
  return { body: JSON.stringify(told.data), ...told };
}

/** All that there is to be told, each once; the first message's statuses step by step. */
function allArrivals(): Arrival[] {
  const status = (id: string, message_id: string, status: string) =>
    anArrival({ id, data: { message_id, status, to: TO } });
  return [
    ...["sent", "delivered", "read"].map((one) => status(`c0 ${one}`, "m0", one)),
    status("c1", "m1", "read"),
    status("c2", "m2", "read"),
    anArrival({
      id: "c3",
      type: "message.received",
      data: { customer: { phone: TO }, message: { wamid: "wamid.in" } },
    }),
  ];
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
      arrivals: allArrivals(),
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
    facts.arrivals[3] = anArrival({ id: "c1", data: { message_id: "m1", status: "dead", to: TO } });
  });
  assert.deepEqual(broken, []);
});

Deno.test("a callback may come again until it was taken and its turn is over, and breaks no rule", () => {
  const broken = brokenBy(({ facts }) => {
    const [first, ...rest] = facts.arrivals;
    facts.arrivals = [{ ...first!, taken: false }, first!, first!, ...rest];
  });
  assert.deepEqual(broken, []);
});

Deno.test("nobody who does not listen is told", () => {
  const broken = brokenBy(({ plan, facts }) => {
    plan.tenants[0]!.listens = false;
    facts.arrivals = [];
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
  ["the end of a message is not told", /told how each message ended/, ({ facts }) => {
    facts.arrivals[2]!.taken = false;
  }],
  ["a customer's message is not told", /what each customer wrote/, ({ facts }) => {
    facts.arrivals.pop();
  }],
  ["a callback came again under another id", /one webhook-id/, ({ facts }) => {
    facts.arrivals.push({ ...facts.arrivals[5]!, id: "c4" });
  }],
  ["a callback came again with another body", /one body/, ({ facts }) => {
    facts.arrivals.push({ ...facts.arrivals[5]!, body: "{}" });
  }],
  ["a callback came again after the next one", /one callback follows/, ({ facts }) => {
    facts.arrivals.push(facts.arrivals[0]!);
  }],
  [
    "the next callback did not wait for one that was refused",
    /one callback follows/,
    ({ facts }) => {
      facts.arrivals[0]!.taken = false;
    },
  ],
  ["a status was told after a later one", /told after one that comes later/, ({ facts }) => {
    facts.arrivals.splice(0, 3, facts.arrivals[1]!, facts.arrivals[0]!, facts.arrivals[2]!);
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
