import type { Plan } from "./plan.ts";
import type { Result } from "./run.ts";

const MOST_SHOWN = 10;

/** The size of the run and the faults that its seed decided. */
export function describePlan({ size, tenants, kills }: Plan): string {
  const faults = tally(tenants.flatMap(({ callFaults }) => callFaults.map(({ kind }) => kind)));
  const requests = tenants.flatMap((tenant) => tenant.requests);
  const repeated = requests.filter((request) => request.repeated !== "no").length;
  return [
    `seed ${size.seed}: ${size.messages} messages of ${size.tenants} tenants in ${size.seconds} s`,
    `  ${requests.length} requests, ${repeated} of them made twice`,
    `  faults of calls: ${list(faults)}`,
    `  kill -9: ${list(tally(kills.map(({ label }) => label)))}`,
    "  every webhook is delivered twice, its events shuffled",
  ].join("\n");
}

/** What the run did and, if a rule was broken, by what. */
export function describeResult(plan: Plan, result: Result, restarts: number): string {
  const { facts, traffic, killed, unsettled, violations } = result;
  const attempts = facts.messages.flatMap((message) => message.attempts);
  const lost = attempts.filter(({ cause }) => cause === "worker_lost").length;
  return [
    "",
    `killed ${list(killed)}; ${restarts} processes started again`,
    `calls ${facts.calls.length}: ${list(tally(facts.calls.map(({ outcome }) => outcome)))}; ` +
    `a fault befell ${result.befallen}`,
    `attempts ${attempts.length}: ${
      list(tally(attempts.map(({ outcome }) => outcome ?? "open")))
    }; ` +
    `${lost} of a worker that was lost`,
    `messages ${facts.messages.length}: ${list(tally(facts.messages.map(({ status }) => status)))}`,
    `posts repeated ${traffic.repetitions}, refused for a while ${traffic.retried}`,
    `events: ${list(new Map(Object.entries(facts.event_states)))}`,
    `callbacks ${facts.arrivals.length}: ${list(tally(facts.arrivals.map(({ type }) => type)))}; ` +
    `${new Set(facts.arrivals.map(({ id }) => id)).size} different ones`,
    "",
    ...(unsettled === null ? [] : [`did not come to rest: ${JSON.stringify(unsettled)}`]),
    ...violations.flatMap(({ title, broken }) => [
      `BROKEN, ${broken.length} times: ${title}`,
      ...broken.slice(0, MOST_SHOWN).map((one) => `  ${one}`),
    ]),
    violations.length === 0 && unsettled === null
      ? `every rule holds (seed ${plan.size.seed})`
      : `${violations.length} rules are broken; again with --seed=${plan.size.seed}`,
  ].join("\n");
}

function tally(names: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of names.toSorted()) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

function list(counts: ReadonlyMap<string, number>): string {
  return [...counts].map(([name, count]) => `${count} ${name}`).join(", ");
}
