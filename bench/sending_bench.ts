import type { Bench, Figure, Note } from "./figures.ts";
import { percentile } from "./figures.ts";
import type { Contender, Score } from "./ground/contender.ts";
import { startGraphEndpoint } from "./ground/graph_endpoint.ts";
import { startGround } from "./ground/ground.ts";
import { installPeers, PACKAGES } from "./ground/packages.ts";
import { sendingContenders } from "./sending_contenders.ts";

const ROUNDS = 3;
const MESSAGES = 10_000;
// Each connection of a pool plans its first five calls anew.
const WARM_UP = 8_000;

/** The same calls made by each contender in turn, so that what else the machine does meets all. */
export const bench: Bench = {
  claim: "messages are sent faster than other queues send them, and near a loop without any queue",

  async run(note) {
    const contenders = sendingContenders(await installPeers());
    await using ground = await startGround();
    await using graph = await startGraphEndpoint({ records: false });
    note("configuration", { MESSAGES, WARM_UP, ROUNDS, PACKAGES });
    const scores = new Map<string, Score[]>(contenders.map(({ name }) => [name, []]));
    for (let round = 0; round < ROUNDS; round++) {
      for (const contender of contenders) {
        const contest = { ground, graph, messages: MESSAGES, warmUp: WARM_UP };
        scores.get(contender.name)!.push(await contend(contender, contest));
      }
    }
    noteRounds(scores, note);
    return figuresOf(scores);
  },
};

async function contend(contender: Contender, contest: Parameters<Contender["contend"]>[0]) {
  try {
    return await contender.contend(contest);
  } catch (cause) {
    throw new Error(`${contender.name} did not finish`, { cause });
  }
}

function figuresOf(scores: Map<string, Score[]>): Figure[] {
  const median = (name: string, of: keyof Score) =>
    percentile(scores.get(name)!.map((score) => score[of] ?? NaN), 0.5);
  const ratio = (name: string) => median("switchyard", "perSecond") / median(name, "perSecond");
  return [
    ...[...scores.keys()].flatMap((name): Figure[] => [
      { name, value: median(name, "perSecond"), unit: "per_second" },
      {
        name: `${name}_cpu`,
        value: median(name, "cpuMs"),
        unit: "ms",
        ...name === "switchyard" && { atMost: 0.3 },
      },
    ]),
    { name: "of_graphile_worker", value: ratio("graphile_worker"), unit: "ratio", atLeast: 1.2 },
    { name: "of_pg_boss_work", value: ratio("pg_boss_work"), unit: "ratio", atLeast: 3 },
    { name: "of_bare_loop", value: ratio("bare_loop"), unit: "ratio", atLeast: 0.5 },
    { name: "of_graphile_worker_on_deno", value: ratio("graphile_worker_on_deno"), unit: "ratio" },
    { name: "of_bare_loop_on_node", value: ratio("bare_loop_on_node"), unit: "ratio" },
    { name: "warm_up_cpu", value: median("switchyard", "coldCpuMs"), unit: "ms" },
    { name: "data_api_cpu", value: median("switchyard", "dataApiCpuMs"), unit: "ms" },
    { name: "postgres_cpu", value: median("switchyard", "postgresCpuMs"), unit: "ms" },
    { name: "redis_cpu", value: median("switchyard", "redisCpuMs"), unit: "ms" },
  ];
}

function noteRounds(scores: Map<string, Score[]>, note: Note): void {
  note("rounds", Object.fromEntries([...scores].map(([name, all]) => [name, all.map(rounded)])));
}

function rounded(score: Score): Record<string, number> {
  const digits = (value: number) => Number(value.toPrecision(3));
  return Object.fromEntries(Object.entries(score).map(([name, value]) => [name, digits(value)]));
}
