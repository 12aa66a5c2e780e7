import type { OutboundQueue } from "../_shared/queue/outbound.ts";

/** What a claim has found out about senders whose backlogs are better not read for a while. */
export interface Holds {
  /** Holds the sender until then (epoch ms); of several moments the last one counts. */
  note(senderId: string, untilMs: number): void;
  /** Resolves when all that was noted is written; rejects when some of it could not be. */
  written(): Promise<void>;
}

/**
 * Writes holds as soon as they are known, those that become known together in one call: the next claims
 * are made while this one is still being sent.
 */
export function createHolds(
  { queue, now }: { queue: Pick<OutboundQueue, "hold">; now: () => number },
): Holds {
  const known = new Map<string, number>();
  const writing: Promise<void>[] = [];
  let fresh = new Map<string, number>();

  async function write(): Promise<void> {
    const [holds, nowMs] = [fresh, now()];
    fresh = new Map();
    const byMoment = Map.groupBy(holds.keys(), (senderId) => holds.get(senderId)!);
    await Promise.all(
      [...byMoment].map(([untilMs, senderIds]) => queue.hold(senderIds, untilMs - nowMs)),
    );
  }

  return {
    note(senderId, untilMs) {
      if (untilMs <= (known.get(senderId) ?? -Infinity)) return;
      known.set(senderId, untilMs);
      fresh.set(senderId, untilMs);
      if (fresh.size > 1) return;
      const written = Promise.resolve().then(write);
      // Who asks whether it is written hears of it; until then nobody does.
      written.catch(() => {});
      writing.push(written);
    },
    async written() {
      await Promise.all(writing);
    },
  };
}
