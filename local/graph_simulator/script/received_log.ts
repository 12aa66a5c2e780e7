import { digitsOf } from "../phone_numbers.ts";

/** What became of a call to the messages endpoint. */
export const receivedOutcomes = ["accepted", "refused", "dropped", "hung"] as const;
export type ReceivedOutcome = (typeof receivedOutcomes)[number];

/** One call to the messages endpoint, as `GET /_control/received` lists it. */
export interface Received {
  /** Milliseconds since the epoch, when the call arrived. */
  at: number;
  phone_number_id: string;
  to: string | null;
  type: string;
  access_token: string | null;
  outcome: ReceivedOutcome;
  code: number | null;
  wamid: string | null;
  /** The request body as it came, kept as text: half the memory of its parsed form. */
  body: string;
}
export type ReceivedWithCursor = Received & { cursor: number };

export interface ReceivedFilter {
  phone_number_id?: string | undefined;
  /** Digits only; `to` itself may be written in any way. */
  to?: string | undefined;
  type?: string | undefined;
  outcome?: ReceivedOutcome | undefined;
}

export type Counts = Record<"received" | ReceivedOutcome, number>;

/** The last calls received, and counts of all of them since the last reset. */
export interface ReceivedLog {
  add(entry: Received): void;
  /** Oldest first, after the cursor; `cursor` of the last one continues. */
  page(filter: ReceivedFilter, since: number, limit: number): ReceivedWithCursor[];
  counts(): Counts & { by_number: Record<string, Counts>; by_code: Record<string, number> };
  /** The cursor of the last call. */
  lastCursor(): number;
  /** Resolves at the next `add`. */
  next(): Promise<void>;
  clear(): void;
}

/** A log that holds the last `limit` calls; older ones are only counted. */
export function createReceivedLog(limit: number): ReceivedLog {
  let ring: Received[] = [];
  let added = 0;
  let total = noCounts();
  let byNumber = new Map<string, Counts>();
  let byCode = new Map<number, number>();
  let waiting: (() => void)[] = [];

  function count(entry: Received): void {
    let number = byNumber.get(entry.phone_number_id);
    if (number === undefined) byNumber.set(entry.phone_number_id, number = noCounts());
    for (const counts of [total, number]) {
      counts.received++;
      counts[entry.outcome]++;
    }
    if (entry.code !== null) byCode.set(entry.code, (byCode.get(entry.code) ?? 0) + 1);
  }

  return {
    add(entry) {
      // The entry with cursor n stands at (n - 1) % limit, and cursors begin at 1.
      ring[added % limit] = entry;
      added++;
      count(entry);
      if (waiting.length === 0) return;
      const resolvers = waiting;
      waiting = [];
      for (const resolve of resolvers) resolve();
    },
    page(filter, since, pageLimit) {
      const found: ReceivedWithCursor[] = [];
      const first = Math.max(since, added - limit, 0);
      for (let index = first; index < added && found.length < pageLimit; index++) {
        const entry = ring[index % limit];
        if (entry && matches(entry, filter)) found.push({ ...entry, cursor: index + 1 });
      }
      return found;
    },
    counts: () => ({
      ...total,
      by_number: Object.fromEntries(byNumber),
      by_code: Object.fromEntries(byCode),
    }),
    lastCursor: () => added,
    next: () => new Promise((resolve) => waiting.push(resolve)),
    clear() {
      ring = [];
      added = 0;
      total = noCounts();
      byNumber = new Map();
      byCode = new Map();
    },
  };
}

const noCounts = (): Counts => ({ received: 0, accepted: 0, refused: 0, dropped: 0, hung: 0 });

function matches(entry: Received, filter: ReceivedFilter): boolean {
  return (filter.phone_number_id ?? entry.phone_number_id) === entry.phone_number_id &&
    (filter.to === undefined || filter.to === digitsOf(entry.to ?? "")) &&
    (filter.type ?? entry.type) === entry.type &&
    (filter.outcome ?? entry.outcome) === entry.outcome;
}
