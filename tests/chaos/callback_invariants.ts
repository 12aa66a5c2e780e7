import type { Arrival } from "./callbacks.ts";
import type { Invariant, Seen } from "./invariants.ts";

/** What a tenant's server may rely on, whatever happened to those who call it. */
export const CALLBACK_INVARIANTS: readonly Invariant[] = [
  {
    title: "who listens is told how each message ended and what each customer wrote",
    broken(seen) {
      const told = new Set(seen.facts.arrivals.filter(({ taken }) => taken).map(subjectOf));
      return expectedSubjects(seen).filter((subject) => !told.has(subject))
        .map((subject) => `not told: ${subject}`);
    },
  },
  {
    title: "what is told has one webhook-id and one body, however often it arrives",
    broken({ facts }) {
      return [
        ...several(facts.arrivals, subjectOf, ({ id }) => id)
          .map((subject) => `several ids: ${subject}`),
        ...several(facts.arrivals, ({ id }) => id, ({ body }) => body)
          .map((id) => `several bodies: ${id}`),
      ];
    },
  },
  {
    title: "in a conversation one callback follows the other, each only when the last was taken",
    broken({ facts }) {
      return [...Map.groupBy(facts.arrivals, lineOf)].flatMap(([line, arrivals]) => {
        const turns = arrivals.filter(({ id }, nth) => nth === 0 || arrivals[nth - 1]!.id !== id);
        const left = arrivals.filter(({ id, taken }, nth) =>
          !taken && arrivals[nth + 1] !== undefined && arrivals[nth + 1]!.id !== id
        );
        return [
          ...(new Set(turns.map(({ id }) => id)).size < turns.length ? [`mixed up: ${line}`] : []),
          ...left.map((arrival) => `passed over: ${subjectOf(arrival)} in ${line}`),
        ];
      });
    },
  },
  {
    title: "no status of a message is told after one that comes later",
    broken({ facts }) {
      const statuses = facts.arrivals.filter(({ data }) => RANKS.has(data.status));
      return [...Map.groupBy(statuses, ({ data }) => data.message_id)]
        .filter(([, told]) => {
          const ranks = told.map(({ data }) => RANKS.get(data.status)!);
          return ranks.some((rank, nth) => nth > 0 && rank < ranks[nth - 1]!);
        })
        .map(([id, told]) => `${id}: ${told.map(({ data }) => data.status).join(", ")}`);
    },
  },
];

const RANKS: ReadonlyMap<unknown, number> = new Map(
  ["sent", "delivered", "read"].map((status, rank) => [status, rank]),
);

function expectedSubjects({ plan, facts }: Seen): string[] {
  const listening = plan.tenants.filter(({ listens }) => listens);
  const numbers = new Set(listening.map(({ phoneNumberId }) => phoneNumberId));
  return [
    ...facts.messages.filter(({ phone_number_id }) => numbers.has(phone_number_id))
      .map(({ id, status }) => `${id} ${status}`),
    ...listening.flatMap(({ inbound }) => inbound.map(({ wamid }) => wamid)),
  ];
}

function subjectOf({ type, data }: Arrival): string {
  if (type === "message.status") return `${data.message_id} ${data.status}`;
  return String((data.message as { wamid: string }).wamid);
}

function lineOf({ phoneNumberId, type, data }: Arrival): string {
  const customer = type === "message.status"
    ? data.to
    : (data.customer as { phone: string | null }).phone;
  return `${phoneNumberId} and ${customer}`;
}

/** The keys under which there is more than one value. */
function several(
  arrivals: readonly Arrival[],
  keyOf: (arrival: Arrival) => string,
  valueOf: (arrival: Arrival) => string,
): string[] {
  return [...Map.groupBy(arrivals, keyOf)]
    .filter(([, all]) => new Set(all.map(valueOf)).size > 1)
    .map(([key]) => key);
}
