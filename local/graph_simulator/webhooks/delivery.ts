import type { Cancel, Clock } from "../clock.ts";
import { type PostWebhook, type Subscriber, toSubscribers } from "./post_webhook.ts";
import { createRetries } from "./retries.ts";
import type { SettingsHolder } from "../script/settings.ts";
import type { SignatureMode } from "./signature.ts";
import type { WebhookTreatment } from "../script/treatment.ts";
import { buildWebhook, type Update } from "./webhook_body.ts";
import { toWireJson } from "./wire_json.ts";

/** Told after every attempt at the webhook that an update went out with. */
export type OnAnswer = (accepted: boolean) => void;

interface Waiting {
  update: Update;
  onAnswer: OnAnswer | undefined;
}
/** Updates that may share a webhook, since they are to be delivered in the same way. */
interface Lane {
  signature: SignatureMode;
  duplicates: number;
  duplicateAfterMs: number;
  waiting: Waiting[];
}
interface Batch {
  text: string;
  lane: Lane;
  members: Waiting[];
  createdAt: number;
}

/** Takes updates and delivers them as signed webhooks, in parallel and in no particular order. */
export interface Delivery {
  publish(update: Update, treatment?: WebhookTreatment, onAnswer?: OnAnswer): void;
  /** Sends what is waiting for its batch now. */
  flush(): void;
  retryNow(): void;
  /** True when nothing waits for its first attempt and none is under way. */
  isQuiet(): boolean;
  pending(): { waiting: number; in_flight: number; waiting_for_retry: number };
  clear(): void;
}

export interface DeliveryDeps {
  clock: Clock;
  random: () => number;
  settings: SettingsHolder;
  post: PostWebhook;
  subscriber: () => Subscriber;
  /** Called whenever a webhook was answered, or was not in time. */
  onAnswered: () => void;
  onLost: (updates: number) => void;
}

/** What may wait at most; Meta would keep more, but this runs beside what it tests. */
const MOST_WAITING = 1_000_000;

export function createDelivery(deps: DeliveryDeps): Delivery {
  const { clock, settings, random } = deps;
  const lanes = new Map<string, Lane>();
  let waiting = 0;
  let inFlight = 0;
  let heldBack = false;
  let planned: Cancel | null = null;
  const retries = createRetries<Batch>(clock, settings, (batch, tried) => attempt(batch, tried));

  function laneFor(treatment: WebhookTreatment | undefined): Lane {
    const { webhooks } = settings.current;
    const signature = treatment?.signature ?? webhooks.signature;
    const duplicates = treatment?.duplicates ?? webhooks.duplicates;
    const duplicateAfterMs = treatment?.duplicateAfterMs ?? 0;
    const key = `${signature} ${duplicates} ${duplicateAfterMs}`;
    let lane = lanes.get(key);
    if (lane === undefined) {
      lanes.set(key, lane = { signature, duplicates, duplicateAfterMs, waiting: [] });
    }
    return lane;
  }

  function flush(): void {
    planned?.();
    planned = null;
    const { max_updates, concurrency, shuffle } = settings.current.webhooks;
    for (const lane of lanes.values()) {
      if (shuffle) shuffleInPlace(lane.waiting, random);
      let taken = 0;
      while (taken < lane.waiting.length && inFlight < concurrency) {
        const members = lane.waiting.slice(taken, taken + max_updates);
        taken += members.length;
        for (const batch of fitting(members, lane)) void attempt(batch, 0);
      }
      lane.waiting = lane.waiting.slice(taken);
      waiting -= taken;
    }
    heldBack = waiting > 0;
  }

  /** Halves what is over the size that Meta delivers in one webhook. */
  function fitting(members: Waiting[], lane: Lane): Batch[] {
    const text = toWireJson(buildWebhook(members.map(({ update }) => update)));
    if (members.length === 1 || text.length <= settings.current.webhooks.max_bytes) {
      return [{ text, lane, members, createdAt: clock.now() }];
    }
    const half = members.length >> 1;
    return [...fitting(members.slice(0, half), lane), ...fitting(members.slice(half), lane)];
  }

  async function attempt(batch: Batch, tried: number): Promise<void> {
    inFlight++;
    const destinations = toSubscribers(deps.subscriber(), settings.current);
    const copies = tried === 0 && batch.lane.duplicateAfterMs === 0 ? batch.lane.duplicates : 0;
    if (tried === 0 && batch.lane.duplicateAfterMs > 0) planLateCopies(batch);
    const answers = await Promise.all(
      destinations.flatMap((destination) =>
        Array.from(
          { length: 1 + copies },
          () =>
            deps.post(destination, batch.text, batch.lane.signature, {
              updates: batch.members.length,
              attempt: tried + 1,
            }),
        )
      ),
    );
    inFlight--;
    const accepted = answers.every((status) => status === 200);
    for (const { onAnswer } of batch.members) onAnswer?.(accepted);
    // A retry goes to every subscribed app, also to the one that had accepted it.
    if (!accepted) retries.plan(batch, tried + 1, batch.createdAt);
    // Only what had to wait for a free connection: everything else waits for its batch.
    if (heldBack) flush();
    deps.onAnswered();
  }

  function planLateCopies(batch: Batch): void {
    const { duplicates, duplicateAfterMs } = batch.lane;
    const lane = { ...batch.lane, duplicates: 0, duplicateAfterMs: 0 };
    for (let copy = 1; copy <= duplicates; copy++) {
      const late = { ...batch, lane, members: batch.members.map(forgetCaller) };
      clock.after(copy * duplicateAfterMs, () => void attempt(late, 0));
    }
  }

  return {
    publish(update, treatment, onAnswer) {
      if (waiting + retries.size() >= MOST_WAITING) return deps.onLost(1);
      const lane = laneFor(treatment);
      lane.waiting.push({ update, onAnswer });
      waiting++;
      planned ??= clock.after(settings.current.webhooks.flush_ms, flush);
    },
    flush,
    retryNow: retries.now,
    isQuiet: () => waiting === 0 && inFlight === 0,
    pending: () => ({ waiting, in_flight: inFlight, waiting_for_retry: retries.size() }),
    clear() {
      planned?.();
      planned = null;
      lanes.clear();
      waiting = 0;
      retries.clear();
    },
  };
}

const forgetCaller = ({ update }: Waiting): Waiting => ({ update, onAnswer: undefined });

function shuffleInPlace<T>(items: T[], random: () => number): void {
  for (let last = items.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [items[last], items[other]] = [items[other] as T, items[last] as T];
  }
}
