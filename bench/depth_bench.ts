import type { Bench, Figure, Note } from "./figures.ts";
import { percentile } from "./figures.ts";
import { type DeepQueue, type Drained, openDeepQueue } from "./depth_queue.ts";
import { startGraphEndpoint } from "./ground/graph_endpoint.ts";
import { startGround } from "./ground/ground.ts";

const SHALLOW = 10_000;
const DEEP = 1_000_000;
const ROUNDS = 5;
const MESSAGES_PER_ROUND = 4_000;
const SHAPES = {
  many_senders: { tenants: 20, sendersEach: 5 },
  one_sender: { tenants: 1, sendersEach: 1 },
};

/** The same drain with a short and with a long backlog, in turns, so that noise meets both. */
export const bench: Bench = {
  claim: "with 1,000,000 messages queued as many are sent a second as with 10,000",

  async run(note) {
    note("configuration", { SHALLOW, DEEP, ROUNDS, MESSAGES_PER_ROUND, SHAPES });
    await using ground = await startGround();
    await using graph = await startGraphEndpoint({ records: false });
    const figures: Figure[] = [];
    for (const [name, shape] of Object.entries(SHAPES)) {
      await using shallow = await openDeepQueue({ ground, graph, shape, depth: SHALLOW });
      await using deep = await openDeepQueue({ ground, graph, shape, depth: DEEP });
      figures.push(...await compare(name, shallow, deep, note));
    }
    return figures;
  },
};

async function compare(
  name: string,
  shallow: DeepQueue,
  deep: DeepQueue,
  note: Note,
): Promise<Figure[]> {
  const rounds: { shallow: Drained; deep: Drained }[] = [];
  for (let nth = 0; nth < ROUNDS; nth++) {
    const order = nth % 2 === 0 ? ["shallow", "deep"] as const : ["deep", "shallow"] as const;
    const drained: Partial<Record<"shallow" | "deep", Drained>> = {};
    for (const which of order) {
      drained[which] = await { shallow, deep }[which].drain(MESSAGES_PER_ROUND);
    }
    rounds.push({ shallow: drained.shallow!, deep: drained.deep! });
  }
  const median = (of: (round: typeof rounds[number]) => number) => percentile(rounds.map(of), 0.5);
  const [few, most] = [await shallow.readBlocks(), await deep.readBlocks()];
  note(`${name}_rounds`, rounds);
  note(`${name}_blocks`, { shallow: few, deep: most });
  const blocks = (of: typeof few) => of.claim + of.settle + of.tick + of.next_due_at;
  return [
    { name, value: median(({ deep }) => deep.perSecond), unit: "per_second" },
    {
      name: `${name}_of_shallow`,
      value: median((round) => round.deep.perSecond / round.shallow.perSecond),
      unit: "ratio",
      atLeast: 0.9,
    },
    {
      name: `${name}_postgres_cpu`,
      value: median(({ deep }) => deep.postgresCpuMs),
      unit: "ms",
    },
    {
      name: `${name}_postgres_cpu_of_shallow`,
      value: median((round) => round.deep.postgresCpuMs / round.shallow.postgresCpuMs),
      unit: "ratio",
    },
    {
      name: `${name}_blocks_of_shallow`,
      value: blocks(most) / blocks(few),
      unit: "ratio",
      atMost: 1.5,
    },
  ];
}
