import type { Bench, Figure } from "./figures.ts";
import { percentile } from "./figures.ts";
import { cpuMs, familyCpuMs } from "./ground/cpu.ts";
import { startGround } from "./ground/ground.ts";
import { createTenants } from "./ground/tenants.ts";
import {
  APP_SECRET,
  type Contender,
  startBenchDataApi,
  startFunction,
  startPeer,
} from "./webhook_contenders.ts";
import { buildWebhooks, sendAll, sendAtRate } from "./webhook_load.ts";

const CONNECTIONS = 512;
const ROUNDS = 5;
const WARM_UP = 4_000;
/** Requests of a round, by contender: two to three seconds of each, beside which its ends are short. */
const REQUESTS = { wa_webhook: 24_000, one_rpc: 1_000, nothing: 60_000 };
const LATENCY_SECONDS = 8;
/** Meta sends again what it thinks was not acknowledged, at ten times the rate of what is new. */
const OLD_TO_EACH_NEW = 10;
const PATH = "/wa-webhook";

/** Peak rates in turn, so that what else the machine does meets all alike; then latency at half. */
export const bench: Bench = {
  claim: "webhooks are acknowledged when they are stored, many in one commit",

  async run() {
    await using ground = await startGround();
    await using database = await ground.createDatabase("migrated");
    const tenants = await createTenants(database.sql, { tenants: 10, sendersEach: 2 });
    const phoneNumberIds = tenants.flatMap(({ senders }) => senders);
    const build = (count: number) =>
      buildWebhooks({ count, secret: APP_SECRET, phoneNumberIds, path: PATH });

    await using dataApi = await startBenchDataApi(database.url);
    await using webhook = await startFunction("wa-webhook", dataApi.url);
    await using oneRpc = await startPeer("one_rpc", dataApi.url);
    await using nothing = await startPeer("nothing", dataApi.url);
    const contenders = { wa_webhook: webhook, one_rpc: oneRpc, nothing };
    const scores = await race(contenders, build, {
      dataApi: () => cpuMs(dataApi.pid),
      postgres: () => familyCpuMs(ground.postgresPid),
    });
    const peak = percentile(scores.wa_webhook.rates, 0.5);
    const each = percentile(scores.one_rpc.rates, 0.5);
    const bare = percentile(scores.nothing.rates, 0.5);
    const { wa_webhook: own, nothing: other } = scores;
    const ownCount = ROUNDS * REQUESTS.wa_webhook;

    const perSecond = peak / 2;
    const requests = build(Math.round(perSecond * LATENCY_SECONDS));
    const pace = { perSecond, connections: CONNECTIONS };
    const { latenciesMs } = await sendAtRate(webhook.url, requests, pace);
    const news = build(Math.round(requests.length / OLD_TO_EACH_NEW));
    const storm = await sendAtRate(webhook.url, mixStorm(requests, news), pace);
    const [row] = await database
      .sql`select count(*)::integer as stored from switchyard.inbound_events`;
    const sent = requests.length + news.length + ROUNDS * (REQUESTS.wa_webhook + REQUESTS.one_rpc) +
      WARM_UP + WARM_UP / 10;
    if (row!.stored !== sent) throw new Error(`${row!.stored} events stored of ${sent}`);
    return [
      { name: "wa_webhook", value: peak, unit: "per_second" },
      { name: "one_rpc_each", value: each, unit: "per_second" },
      { name: "verify_only", value: bare, unit: "per_second" },
      { name: "over_one_rpc_each", value: peak / each, unit: "ratio", atLeast: 5 },
      { name: "over_verify_only", value: peak / bare, unit: "ratio", atLeast: 0.35 },
      { name: "cpu_of_the_function", value: own.cpuMs / ownCount, unit: "ms" },
      { name: "cpu_of_the_data_api", value: own.dataApiMs / ownCount, unit: "ms" },
      { name: "cpu_of_postgres", value: own.postgresMs / ownCount, unit: "ms" },
      {
        name: "cpu_of_verify_only",
        value: other.cpuMs / (ROUNDS * REQUESTS.nothing),
        unit: "ms",
      },
      // Of two cores this much is taken by who asks, from all alike.
      { name: "cpu_of_the_load", value: own.loadMs / ownCount, unit: "ms" },
      { name: "p50_at_half_peak", value: percentile(latenciesMs, 0.5), unit: "ms" },
      { name: "p99_at_half_peak", value: percentile(latenciesMs, 0.99), unit: "ms", atMost: 250 },
      {
        name: "p99_in_a_retry_storm",
        value: percentile(storm.latenciesMs, 0.99),
        unit: "ms",
        atMost: 250,
      },
    ] satisfies Figure[];
  },
};

function mixStorm(old: Uint8Array[], news: Uint8Array[]): Uint8Array[] {
  return news.flatMap((one, nth) => [
    ...old.slice(nth * OLD_TO_EACH_NEW, (nth + 1) * OLD_TO_EACH_NEW),
    one,
  ]);
}

type Name = keyof typeof REQUESTS;

/** What a contender came to: requests a second of each round, and the CPU of all rounds. */
interface Score {
  rates: number[];
  cpuMs: number;
  dataApiMs: number;
  postgresMs: number;
  loadMs: number;
}

async function race(
  contenders: Record<Name, Contender>,
  build: (count: number) => Uint8Array[],
  shared: { dataApi: () => Promise<number>; postgres: () => Promise<number> },
): Promise<Record<Name, Score>> {
  const score = (): Score => ({ rates: [], cpuMs: 0, dataApiMs: 0, postgresMs: 0, loadMs: 0 });
  const scores = { wa_webhook: score(), one_rpc: score(), nothing: score() };
  const names = Object.keys(scores) as Name[];
  for (const name of names) {
    const warmUp = name === "one_rpc" ? WARM_UP / 10 : WARM_UP;
    await sendAll(contenders[name].url, build(warmUp), CONNECTIONS);
  }
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of names) {
      const { url, pid } = contenders[name];
      const requests = build(REQUESTS[name]);
      const read = () =>
        Promise.all([cpuMs(pid), shared.dataApi(), shared.postgres(), cpuMs(Deno.pid)]);
      const before = await read();
      const { perSecond } = await sendAll(url, requests, CONNECTIONS);
      const after = await read();
      scores[name].cpuMs += after[0] - before[0];
      scores[name].dataApiMs += after[1] - before[1];
      scores[name].postgresMs += after[2] - before[2];
      scores[name].loadMs += after[3] - before[3];
      scores[name].rates.push(perSecond);
    }
  }
  return scores;
}
