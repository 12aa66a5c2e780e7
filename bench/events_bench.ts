import { type EventsWorld, openEventsWorld } from "./events_world.ts";
import { type Bench, type Figure, percentile } from "./figures.ts";
import { cpuMs, familyCpuMs } from "./ground/cpu.ts";
import { type Ground, startGround } from "./ground/ground.ts";
import { openPlainEvents } from "./plain_events.ts";

const ROUNDS = 5;
const EVENTS = 4_000;
const WARM_UP = 2_000;
/** Events of a round for who takes them one by one. */
const PLAIN_EVENTS = 1_200;

/** In turns: the drain of wa-inbound, and a loop with a transaction for each event. */
export const bench: Bench = {
  claim: "stored events are applied in batches, twice as many a second as one by one",

  async run(note) {
    await using ground = await startGround();
    await using world = await openEventsWorld(ground);
    await using empty = await ground.createDatabase("empty");
    const plain = await openPlainEvents(empty);
    await apply(world, ground, WARM_UP);

    const rounds: { own: Applied; plainPerSecond: number }[] = [];
    for (let nth = 0; nth < ROUNDS; nth++) {
      const own = await apply(world, ground, EVENTS);
      await plain.store(await world.makeEvents(PLAIN_EVENTS));
      const seconds = await time(() => plain.applyAll());
      rounds.push({ own, plainPerSecond: PLAIN_EVENTS / seconds });
    }
    note("rounds", rounds);
    const median = (of: (round: typeof rounds[number]) => number) =>
      percentile(rounds.map(of), 0.5);
    return [
      { name: "wa_inbound", value: median(({ own }) => own.perSecond), unit: "per_second" },
      {
        name: "one_transaction_each",
        value: median(({ plainPerSecond }) => plainPerSecond),
        unit: "per_second",
      },
      {
        name: "over_one_transaction_each",
        value: median(({ own, plainPerSecond }) => own.perSecond / plainPerSecond),
        unit: "ratio",
        atLeast: 2,
      },
      { name: "cpu_of_the_function", value: median(({ own }) => own.functionMs), unit: "ms" },
      { name: "cpu_of_postgres", value: median(({ own }) => own.postgresMs), unit: "ms" },
    ] satisfies Figure[];
  },
};

interface Applied {
  perSecond: number;
  functionMs: number;
  dataApiMs: number;
  postgresMs: number;
}

async function apply(world: EventsWorld, ground: Ground, count: number): Promise<Applied> {
  await world.store(await world.makeEvents(count));
  const read = async () => ({
    functionMs: await cpuMs(world.inbound.pid),
    dataApiMs: await cpuMs(world.dataApiPid),
    postgresMs: await familyCpuMs(ground.postgresPid),
  });
  const before = await read();
  const seconds = await time(() => world.applyAll());
  const after = await read();
  return {
    perSecond: count / seconds,
    functionMs: (after.functionMs - before.functionMs) / count,
    dataApiMs: (after.dataApiMs - before.dataApiMs) / count,
    postgresMs: (after.postgresMs - before.postgresMs) / count,
  };
}

async function time(work: () => Promise<void>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return (performance.now() - startedAt) / 1_000;
}
