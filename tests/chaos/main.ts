// deno-lint-ignore-file no-console -- a program: what it prints is its result
/**
 * `deno task chaos`: the fault run. Posts messages of many tenants while workers are killed, answers
 * lost and webhooks doubled and shuffled, and says whether every message came through once. The same
 * --seed gives the same plan of faults. Exit status 1 when a rule was broken.
 */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { forgiveLostSockets } from "../../local/lost_sockets.ts";
import { drawPlan, type Size } from "./plan.ts";
import { startChaosPlatform } from "./platform.ts";
import { describePlan, describeResult } from "./report.ts";
import { runPlan } from "./run.ts";

const USAGE = `Usage: deno task chaos [flags]

  --seed N       decides the plan of faults (default: drawn, and printed)
  --messages N   default 5000
  --tenants N    default 20
  --kills N      default 50
  --seconds N    over how long messages are posted and processes killed (default 120)
  --hurry        lets the minutes pass at once that are waited for workers who are gone
`;

const KEPT_LOGS = fileURLToPath(new URL("../../.local/chaos-logs", import.meta.url));
const BOUND_MS = 600_000;

async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      seed: { type: "string" },
      messages: { type: "string", default: "5000" },
      tenants: { type: "string", default: "20" },
      kills: { type: "string", default: "50" },
      seconds: { type: "string", default: "120" },
      hurry: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const size: Size = {
    seed: wholeNumber("seed", values.seed ?? String(crypto.getRandomValues(new Uint32Array(1))[0])),
    messages: wholeNumber("messages", values.messages),
    tenants: wholeNumber("tenants", values.tenants),
    kills: wholeNumber("kills", values.kills),
    seconds: wholeNumber("seconds", values.seconds),
    hangs: !values.hurry,
  };
  return await run(size, values.hurry);
}

async function run(size: Size, hurry: boolean): Promise<number> {
  const startedAt = Date.now();
  const print = (line: string) =>
    console.log(`${((Date.now() - startedAt) / 1_000).toFixed(1).padStart(6)} s ${line}`);
  const plan = drawPlan(size);
  console.log(describePlan(plan));
  const chaos = await startChaosPlatform(print);
  let isSound = false;
  const interrupted = () => void chaos.stop().then(() => Deno.exit(130));
  Deno.addSignalListener("SIGINT", interrupted);
  Deno.addSignalListener("SIGTERM", interrupted);
  try {
    const result = await runPlan(chaos, plan, { hurry, boundMs: BOUND_MS, print });
    isSound = result.violations.length === 0 && result.unsettled === null;
    print("  everything has come to rest");
    console.log(describeResult(plan, result, chaos.restarts()));
    if (!isSound) await keepFacts({ plan, ...result });
  } finally {
    await chaos.stop(isSound ? undefined : KEPT_LOGS);
    if (!isSound) console.log(`What it wrote and what was seen is in ${KEPT_LOGS}`);
  }
  return isSound ? 0 : 1;
}

// What was seen in the end, for a question that the report does not answer.
async function keepFacts(seen: unknown): Promise<void> {
  await Deno.mkdir(KEPT_LOGS, { recursive: true });
  await Deno.writeTextFile(`${KEPT_LOGS}/facts.json`, JSON.stringify(seen));
}

function wholeNumber(name: string, text: string): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= 0) return number;
  throw new Error(`--${name} ${text} is no whole number.`);
}

forgiveLostSockets();
Deno.exit(await main(Deno.args));
