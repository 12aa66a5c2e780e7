import { CALLBACK_INVARIANTS } from "./callback_invariants.ts";
import { UNDELIVERABLE } from "./call_faults.ts";
import type { Call, Facts, StoredMessage } from "./facts.ts";
import type { Plan } from "./plan.ts";
import type { PostedMessage, Traffic } from "./traffic.ts";

/** All that was seen of one run. */
export interface Seen {
  plan: Plan;
  traffic: Traffic;
  facts: Facts;
}

/** A rule that must hold after every run: what breaks it, one line each. */
export interface Invariant {
  title: string;
  broken(seen: Seen): string[];
}

const isTaken = (call: Call) => call.outcome === "accepted";
const isFinalRefusal = ({ outcome, code }: Call) => outcome === "refused" && code === UNDELIVERABLE;
const describe = ({ id, recipient, nth, status }: StoredMessage) =>
  `${id} (${recipient}, number ${nth}, ${status})`;

/** What must be true whatever happened to workers, answers and webhooks. */
export const INVARIANTS: readonly Invariant[] = [
  {
    title: "every message that was answered for is stored once, with the id that was answered",
    broken({ plan, traffic, facts }) {
      const key = (message: PostedMessage | StoredMessage) =>
        "recipient" in message
          ? `${message.id} ${message.phone_number_id} ${message.recipient} ${message.nth}`
          : `${message.id} ${message.phoneNumberId} ${message.to} ${message.nth}`;
      const stored = new Set(facts.messages.map(key));
      const lost = traffic.posted.filter((message) => !stored.has(key(message))).map(key);
      const total = plan.size.messages === facts.messages.length
        ? []
        : [`${facts.messages.length} messages are stored instead of ${plan.size.messages}`];
      return [...total, ...lost.map((message) => `not stored: ${message}`)];
    },
  },
  {
    title: "a request that is repeated with its key gets the answer that it had",
    broken: ({ traffic }) => traffic.wrongReplays,
  },
  {
    title: "Meta accepts every message exactly once, except those that it refuses for good",
    broken({ facts }) {
      const refused = refusedForGood(facts);
      const taken = groupBy(facts.calls.filter(isTaken), ({ messageId }) => messageId);
      return facts.messages.flatMap((message) => {
        const times = taken.get(message.id)?.length ?? 0;
        const expected = refused.has(message.id) ? 0 : 1;
        return times === expected ? [] : [`accepted ${times} times: ${describe(message)}`];
      });
    },
  },
  {
    title: "every call is one of a stored message, to its recipient, and on record as an attempt",
    broken({ facts }) {
      const calls = groupBy(facts.calls, ({ messageId }) => messageId);
      const messages = new Map(facts.messages.map((message) => [message.id, message]));
      return [...calls].flatMap(([id, made]) => {
        const message = messages.get(id);
        if (message === undefined) return [`call for no message: ${id}`];
        const astray = made.filter(({ to, phoneNumberId, nth }) =>
          to !== message.recipient || phoneNumberId !== message.phone_number_id ||
          nth !== message.nth
        );
        return [
          ...astray.map(({ to, nth }) => `called for ${to}, number ${nth}: ${describe(message)}`),
          ...(made.length > message.attempts.length
            ? [`${made.length} calls, ${message.attempts.length} attempts: ${describe(message)}`]
            : []),
        ];
      });
    },
  },
  {
    title: "each recipient gets the messages in the order in which they were posted",
    broken({ facts }) {
      const mayBeOvertaken = new Set(facts.messages.filter(wasUnknown).map(({ id }) => id));
      const taken = groupBy(
        facts.calls.filter((call) => isTaken(call) && !mayBeOvertaken.has(call.messageId)),
        ({ phoneNumberId, to }) => `${phoneNumberId} to ${to}`,
      );
      return [...taken].flatMap(([pair, calls]) => {
        const order = calls.map(({ nth }) => nth);
        const isHeld = order.every((nth, index) => index === 0 || order[index - 1]! < nth);
        return isHeld ? [] : [`${pair}: ${order.join(", ")}`];
      });
    },
  },
  {
    title: "every message has the status that Meta reported last, and Meta's id",
    broken({ facts }) {
      const refused = refusedForGood(facts);
      const wamids = new Map(
        facts.calls.filter(isTaken).map(({ messageId, wamid }) => [messageId, wamid]),
      );
      return facts.messages.flatMap((message) => {
        const expected = refused.has(message.id) ? "dead" : "read";
        if (message.status !== expected) return [`not ${expected}: ${describe(message)}`];
        if (message.wamid === (wamids.get(message.id) ?? null)) return [];
        return [`has ${message.wamid} for ${wamids.get(message.id)}: ${describe(message)}`];
      });
    },
  },
  {
    title: "no message that arrived shows an error",
    broken: ({ facts }) =>
      facts.messages.filter(({ status, has_error }) => status === "read" && has_error)
        .map(describe),
  },
  {
    title: "every status is kept once",
    broken({ facts }) {
      const refused = refusedForGood(facts);
      return facts.messages.flatMap((message) => {
        const expected = refused.has(message.id) ? "" : "sent delivered read";
        const kept = message.statuses.join(" ");
        return kept === expected ? [] : [`has "${kept}": ${describe(message)}`];
      });
    },
  },
  {
    title: "only what was refused for good has a dead letter, and one only",
    broken({ facts }) {
      const refused = refusedForGood(facts);
      return [
        ...facts.messages.flatMap((message) => {
          const expected = refused.has(message.id) ? "undeliverable" : "";
          const letters = message.dead_letters.join(" ");
          return letters === expected ? [] : [`has "${letters}": ${describe(message)}`];
        }),
        ...(facts.event_dead_letters > 0 ? [`${facts.event_dead_letters} letters of events`] : []),
      ];
    },
  },
  {
    title: "no message is left in a queue, under a lease or before another one",
    broken({ facts }) {
      return [
        ...facts.messages.filter(({ is_free }) => !is_free).map(describe),
        ...(facts.outbound_entries > 0 ? [`${facts.outbound_entries} entries of wa_outbound`] : []),
        ...(facts.inbound_entries > 0 ? [`${facts.inbound_entries} entries of wa_inbound`] : []),
      ];
    },
  },
  {
    title: "every attempt has an outcome, and none of them was accepted twice",
    broken({ facts }) {
      return facts.messages.flatMap((message) => {
        const outcomes = message.attempts.map(({ outcome }) => outcome);
        const isSound = !outcomes.includes(null) &&
          outcomes.filter((outcome) => outcome === "accepted").length <= 1;
        return isSound ? [] : [`${outcomes.join(", ")}: ${describe(message)}`];
      });
    },
  },
  {
    title: "every event is stored once and applied",
    broken({ facts }) {
      const unapplied = Object.entries(facts.event_states).filter(([state]) => state !== "applied");
      return [
        ...unapplied.map(([state, count]) => `${count} events are ${state}`),
        ...(facts.equal_events > 0 ? [`${facts.equal_events} events are stored again`] : []),
      ];
    },
  },
  {
    title: "every customer who wrote has one conversation, with each message once",
    broken({ plan, facts }) {
      const expected = plan.tenants.flatMap(({ phoneNumberId, inbound }) =>
        [...groupBy(inbound, ({ from }) => from)].map(([from, messages]) =>
          `${phoneNumberId} ${from} ${messages.map(({ wamid }) => wamid).toSorted().join(" ")}`
        )
      );
      const found = facts.conversations.map(({ phone_number_id, customer_phone, wamids }) =>
        `${phone_number_id} ${customer_phone} ${wamids.toSorted().join(" ")}`
      );
      return [
        ...missing(expected, found).map((one) => `not there: ${one}`),
        ...missing(found, expected).map((one) => `there: ${one}`),
      ];
    },
  },
  ...CALLBACK_INVARIANTS,
];

// An urgent message does not wait for one whose outcome is unknown.
function wasUnknown({ lane, attempts }: StoredMessage): boolean {
  return lane === "urgent" && attempts.some(({ outcome }) => outcome === "unknown");
}

// A worker that died before it wrote the refusal down leaves a message that is called for again.
function refusedForGood({ calls }: Facts): Set<string> {
  const last = new Map(calls.map((call) => [call.messageId, call]));
  return new Set([...last.values()].filter(isFinalRefusal).map(({ messageId }) => messageId));
}

function missing(these: readonly string[], those: readonly string[]): string[] {
  const left = new Map<string, number>();
  for (const one of those) left.set(one, (left.get(one) ?? 0) + 1);
  return these.filter((one) => {
    const count = left.get(one) ?? 0;
    left.set(one, count - 1);
    return count <= 0;
  });
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return groups;
}
