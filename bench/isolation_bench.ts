import type { Bench, Figure, Note } from "./figures.ts";
import { percentile } from "./figures.ts";
import {
  type IsolationGround,
  type Probe,
  PROBES,
  startIsolationGround,
  type Way,
} from "./isolation_ground.ts";

const BACKLOG = 100_000;
const LIMITED_BACKLOG = 10_000;
const ROUNDS = 3;
const PROBES_EACH = 60;
const PER_SECOND = 20;
const WARM_UP = 20;

type Ways = Record<Probe, Way[]>;

/** What happens at the neighbours while the probes are sent, each in turn, so that noise meets all. */
const SITUATIONS = {
  idle: ["quiet_normal", "quiet_urgent"],
  sending: ["quiet_normal", "quiet_urgent", "paced_urgent"],
  draining: ["quiet_normal", "quiet_urgent", "busy_urgent"],
  limited: ["quiet_normal", "quiet_urgent"],
  broken: ["quiet_normal", "quiet_urgent"],
} as const satisfies Record<string, readonly Probe[]>;
type Situation = keyof typeof SITUATIONS;

/**
 * In trouble of each kind: 100,000 messages that go at Meta's usual rate, as many that are all due at
 * the highest, a limit that is reached, and calls that fail.
 */
const RELEASED = {
  sending: "paced",
  draining: "busy",
  limited: "limited",
  broken: "broken",
} as const;
const NEIGHBOURS = Object.values(RELEASED);

/** Messages one by one from the caller's request to the Graph API, beside a neighbour in trouble. */
export const bench: Bench = {
  claim: "beside 100,000 messages of a neighbour a message takes at most twice its time when idle",

  async run(note) {
    note("configuration", { BACKLOG, LIMITED_BACKLOG, ROUNDS, PROBES_EACH, PER_SECOND });
    await using ground = await startIsolationGround();
    await ground.send([...PROBES], WARM_UP, PER_SECOND);
    await ground.hold(NEIGHBOURS);
    await ground.enqueue("paced", BACKLOG);
    await ground.enqueue("busy", BACKLOG);
    await ground.settle();
    const rounds = [];
    for (let nth = 0; nth < ROUNDS; nth++) {
      const round: Partial<Record<Situation, Ways>> = {};
      for (const situation of Object.keys(SITUATIONS) as Situation[]) {
        round[situation] = await play(ground, situation);
      }
      rounds.push(round as Record<Situation, Ways>);
    }
    note("left_of_backlog", await ground.left("busy"));
    return compare(rounds, note);
  },
};

async function play(ground: IsolationGround, situation: Situation): Promise<Ways> {
  if (situation === "limited" || situation === "broken") {
    await ground.enqueue(situation, LIMITED_BACKLOG);
  }
  if (situation !== "idle") await ground.release(RELEASED[situation]);
  const ways = await ground.send(SITUATIONS[situation], PROBES_EACH, PER_SECOND);
  await ground.hold(NEIGHBOURS);
  return ways;
}

function compare(rounds: Record<Situation, Ways>[], note: Note): Figure[] {
  const all = (situation: Situation, probe: Probe) => rounds.flatMap((it) => it[situation][probe]);
  const p99 = (situation: Situation, probe: Probe) =>
    percentile(all(situation, probe).map(({ ms }) => ms), 0.99);
  // Of a neighbour's own urgent messages there is no idle to compare with but its neighbour's.
  const idleOf = (probe: Probe) =>
    p99("idle", probe === "quiet_normal" ? "quiet_normal" : "quiet_urgent");
  const figures: Figure[] = [];
  for (const situation of Object.keys(SITUATIONS) as Situation[]) {
    for (const probe of SITUATIONS[situation]) {
      const name = `${situation}_${probe}`;
      const ways = all(situation, probe);
      const slowest = p99(situation, probe);
      figures.push(
        { name: `${name}_p50`, value: percentile(ways.map(({ ms }) => ms), 0.5), unit: "ms" },
        { name: `${name}_p99`, value: slowest, unit: "ms" },
      );
      if (situation === "idle") continue;
      const before = percentile(ways.map((way) => way.before), 0.99);
      figures.push(
        { name: `${name}_p99_of_idle`, value: slowest / idleOf(probe), unit: "ratio", atMost: 2 },
        { name: `${name}_p99_before_it`, value: before, unit: "count" },
      );
    }
  }
  note("rounds", rounds);
  return figures;
}
