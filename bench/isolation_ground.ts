import { aPhoneNumber, parseEnvFile } from "../tests/support/platform.ts";
import { startPlatform } from "../tests/support/start_platform.ts";
import { startGraphEndpoint } from "./ground/graph_endpoint.ts";
import { openDatabase, type Sql } from "./ground/ground.ts";
import { type BenchTenant, createTenants, enqueue, sendersOf } from "./ground/tenants.ts";

/** Whose message it is, and in which lane. */
export const PROBES = ["quiet_normal", "quiet_urgent", "paced_urgent", "busy_urgent"] as const;
export type Probe = typeof PROBES[number];
/**
 * Neighbours of the quiet tenant: with a backlog that goes by its senders' slots, with one that is all
 * due at once, with a limit that is reached, and whose calls fail.
 */
export type Neighbour = "paced" | "busy" | "limited" | "broken";

/** What one message took from its POST to the Graph API, and how many others came there meanwhile. */
export interface Way {
  ms: number;
  before: number;
}

/** A whole platform before a Graph API that notes when each message came. */
export interface IsolationGround extends AsyncDisposable {
  /** Posts so many messages of each probe in turn and resolves once all are at the Graph API. */
  send(probes: readonly Probe[], count: number, perSecond: number): Promise<Record<Probe, Way[]>>;
  /** Gives a neighbour so many messages: all of them due, but for the paced one's, due from release on. */
  enqueue(neighbour: Neighbour, messages: number): Promise<void>;
  /** Nothing of these goes out until they are released; resolves when all is quiet. */
  hold(neighbours: readonly Neighbour[]): Promise<void>;
  release(neighbour: Neighbour): Promise<void>;
  /** Lets Postgres have done what a large backlog leaves to do. */
  settle(): Promise<void>;
  /** Messages that wait. */
  left(neighbour: Neighbour): Promise<number>;
}

const SENDERS_EACH = 5;
const PLACE = { quiet: 0, busy: 1, limited: 2, broken: 3, paced: 4 };
const DAY_MS = 24 * 60 * 60_000;
/** What the other share of five numbers gets at Meta's usual 80 a second. */
const PACED_PER_SECOND = SENDERS_EACH * 80 * 0.8;
const PACED_SECONDS = 9;
const ARRIVAL_TIMEOUT_MS = 20_000;

/** Starts it; for `await using`. */
export async function startIsolationGround(): Promise<IsolationGround> {
  await using starting = new AsyncDisposableStack();
  const failing = sendersOf(PLACE.broken, SENDERS_EACH);
  const graph = starting.use(await startGraphEndpoint({ records: true, failing }));
  const platform = await startPlatform({ args: ["--no-demo", `--graph-url=${graph.url}`] });
  starting.defer(async () => void await platform.stop());
  const env = parseEnvFile(await Deno.readTextFile(platform.envFile));
  const sql = openDatabase(env.SUPABASE_DB_URL!, 2);
  starting.defer(() => sql.end({ timeout: 1 }));
  const tenants = await createTenants(sql, { tenants: 5, sendersEach: SENDERS_EACH });
  const tenantOf = (name: keyof typeof PLACE): BenchTenant => tenants[PLACE[name]]!;
  await sql`
    update switchyard.tenants set limit_messages = 80, limit_window_seconds = 60
    where id = ${tenantOf("limited").id}`;
  const post = createPost(`${env.SUPABASE_URL}/functions/v1/wa-messages`, env.SUPABASE_SECRET_KEY!);
  let enqueued = 0;

  async function setHold(names: readonly Neighbour[], forMs: number | null): Promise<void> {
    const senders = names.flatMap((name) => tenantOf(name).senders);
    await sql`
      select switchyard_api.hold_senders(jsonb_agg(id), ${forMs}::bigint)
      from switchyard.senders where phone_number_id in ${sql(senders)}`;
  }

  const stack = starting.move();
  return {
    async send(probes, count, perSecond) {
      await graph.forget();
      const posted = await sendAtRate(probes, count, perSecond, async (probe) => {
        const tenant = tenantOf(probe.split("_")[0] as "quiet" | "paced" | "busy");
        const lane = probe === "quiet_normal" ? "normal" : "urgent";
        return { probe, at: Date.now(), id: await post(tenant, lane) };
      });
      return await waysOf(posted, async () => (await graph.seen()).arrivals);
    },
    async enqueue(name, messages) {
      const at = new Date(Date.now() + (name === "paced" ? DAY_MS : -600_000));
      await enqueue(sql, [tenantOf(name)], { messages, from: enqueued, at, lane: "normal" });
      enqueued += messages;
    },
    async hold(names) {
      await setHold(names, 3_600_000);
      for (let calls = -1, before = -2; calls !== before;) {
        await new Promise((resolve) => setTimeout(resolve, 500));
        [before, calls] = [calls, (await graph.seen()).calls];
      }
    },
    async release(name) {
      // Else only its first round would be beside a breaker that opens.
      await closeBreakers(env);
      if (name === "paced") await giveSlots(sql, tenantOf(name));
      await setHold([name], null);
      await sql`select switchyard.ring_doorbell('wa-sender')`;
    },
    async settle() {
      await sql`vacuum analyze`;
      await sql`checkpoint`;
    },
    async left(name) {
      const [row] = await sql`
        select count(*)::integer as left from switchyard.messages
        where tenant_id = ${tenantOf(name).id} and status = 'queued'`;
      return row!.left;
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

// As accepting would have planned them now: one after the other, at the rate of their senders.
async function giveSlots(sql: Sql, { id }: BenchTenant): Promise<void> {
  await sql`
    with next as (
      select id, row_number() over (order by due_at, accepted_no) as nth
      from switchyard.messages
      where tenant_id = ${id} and status = 'queued'
      order by due_at, accepted_no
      limit ${PACED_PER_SECOND * PACED_SECONDS}
    )
    update switchyard.messages m
    set due_at = now() + next.nth * make_interval(secs => 1.0 / ${PACED_PER_SECOND}::integer)
    from next where m.id = next.id`;
  await sql`
    update switchyard.sender_lanes l set head_due_at = least(l.head_due_at, now())
    from switchyard.senders s where s.id = l.sender_id and s.tenant_id = ${id} and l.share = 'other'`;
}

async function closeBreakers(env: Record<string, string>): Promise<void> {
  const ask = async (method: string, path: string) => {
    const headers = { apikey: env.SUPABASE_SECRET_KEY! };
    const response = await fetch(`${env.SUPABASE_URL}/functions/v1/admin${path}`, {
      method,
      headers,
    });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return await response.json();
  };
  const { breakers } = await ask("GET", "/breakers") as {
    breakers: { scope: string; state: string }[];
  };
  for (const { scope, state } of breakers) {
    if (state !== "closed") await ask("POST", `/breakers/${encodeURIComponent(scope)}/reset`);
  }
}

interface Posted {
  probe: Probe;
  at: number;
  id: string;
}

// Begun at even distances, whatever the ones before do: a slow one does not spare the next.
async function sendAtRate(
  probes: readonly Probe[],
  count: number,
  perSecond: number,
  send: (probe: Probe) => Promise<Posted>,
): Promise<Posted[]> {
  const startedAt = performance.now();
  const sending: Promise<Posted>[] = [];
  for (let nth = 0; nth < count * probes.length; nth++) {
    const waitMs = startedAt + nth * 1_000 / perSecond - performance.now();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    sending.push(send(probes[nth % probes.length]!));
  }
  return await Promise.all(sending);
}

// Both clocks are this machine's.
async function waysOf(
  posted: Posted[],
  readArrivals: () => Promise<[id: string, at: number][]>,
): Promise<Record<Probe, Way[]>> {
  const ways = Object.fromEntries(PROBES.map((probe): [Probe, Way[]] => [probe, []])) as Record<
    Probe,
    Way[]
  >;
  const deadline = Date.now() + ARRIVAL_TIMEOUT_MS;
  let places = new Map<string, number>();
  let arrivals: [id: string, at: number][] = [];
  while (posted.some(({ id }) => !places.has(id))) {
    if (Date.now() > deadline) throw new Error("A message did not reach the Graph API within 20 s");
    await new Promise((resolve) => setTimeout(resolve, 200));
    arrivals = await readArrivals();
    places = new Map(arrivals.map(([id], place) => [id, place]));
  }
  for (const { probe, at, id } of posted) {
    const place = places.get(id)!;
    const first = arrivals.findIndex(([, arrivedAt]) => arrivedAt >= at);
    ways[probe].push({ ms: arrivals[place]![1] - at, before: place - first });
  }
  return ways;
}

function createPost(url: string, secretKey: string) {
  return async ({ id, senders }: BenchTenant, lane: string): Promise<string> => {
    const response = await fetch(url, {
      method: "POST",
      headers: {
        apikey: secretKey,
        "x-tenant-id": id,
        "content-type": "application/json",
        "idempotency-key": crypto.randomUUID(),
      },
      body: JSON.stringify({
        from: senders[0],
        to: aPhoneNumber(),
        type: "text",
        text: { body: "Hello" },
        lane,
      }),
    });
    const text = await response.text();
    if (response.status !== 202) throw new Error(`Cannot post: ${response.status} ${text}`);
    return JSON.parse(text).id;
  };
}
