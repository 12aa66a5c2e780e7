import { openPlatformDatabase } from "../support/platform_database.ts";
import { startListeners } from "./callbacks.ts";
import { control } from "./control.ts";
import { type Facts, readFacts } from "./facts.ts";
import { INVARIANTS } from "./invariants.ts";
import { killAllWorkers, killAsPlanned } from "./killing.ts";
import { INSTANCES } from "./kills.ts";
import type { Plan } from "./plan.ts";
import type { ChaosPlatform } from "./platform.ts";
import { passTime, type Unsettled, waitUntilSettled } from "./settling.ts";
import { createTenants } from "./tenants.ts";
import { postTraffic, type Traffic } from "./traffic.ts";

export interface RunOptions {
  /** Lets the minutes pass at once that are waited for workers who are gone. */
  hurry: boolean;
  /** How long after the last post everything may take to come to rest. */
  boundMs: number;
  print: (line: string) => void;
}

/** What a run did and what it found. */
export interface Result {
  killed: Map<string, number>;
  /** Calls to the Graph API that each fault befell. */
  befallen: number;
  traffic: Traffic;
  facts: Facts;
  /** What did not come to rest in time. */
  unsettled: Unsettled | null;
  violations: { title: string; broken: string[] }[];
}

const LABELS = Object.entries(INSTANCES).flatMap(([name, count]) =>
  Array.from({ length: count }, (_, index) => `${name}#${index}`)
);

/** Runs a plan on a platform of its own and holds what came of it against every rule. */
export async function runPlan(
  chaos: ChaosPlatform,
  plan: Plan,
  { hurry, boundMs, print }: RunOptions,
): Promise<Result> {
  const { platform } = chaos;
  await using database = openPlatformDatabase(platform);
  await control(platform, "PATCH", "/settings", { webhooks: { duplicates: 1, shuffle: true } });
  const tenants = await createTenants(platform, plan);
  await using listeners = await startListeners(platform, tenants);
  print(`  ${tenants.length} tenants are ready`);

  const [traffic, killed] = await Promise.all([
    postTraffic(platform, tenants),
    killAsPlanned(chaos, plan.kills),
  ]);
  print(`  ${traffic.posted.length} messages are posted, ${sum(killed.values())} processes killed`);

  const goneAt = hurry ? killAllWorkers(chaos, LABELS) : null;
  const unsettled = await waitUntilSettled(platform, database.sql, {
    boundMs,
    eachTime: async (seen) => {
      if (goneAt !== null) await passTime(database.sql, goneAt, seen);
    },
  });
  const facts = await readFacts(platform, database.sql, plan, listeners);
  const violations = INVARIANTS
    .map(({ title, broken }) => ({ title, broken: broken({ plan, traffic, facts }) }))
    .filter(({ broken }) => broken.length > 0);
  return { killed, traffic, facts, unsettled, violations, befallen: await countBefallen(chaos) };
}

async function countBefallen({ platform }: ChaosPlatform): Promise<number> {
  const { rules } = await control<{ rules: { applied: number }[] }>(platform, "GET", "/rules");
  return sum(rules.map(({ applied }) => applied));
}

function sum(numbers: Iterable<number>): number {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
}
