import * as z from "zod";
import { type CallRpc, DatabaseError } from "../_shared/database.ts";
import { createGroupCommit } from "../_shared/queue/group_commit.ts";
import type { GroupCommit } from "../_shared/queue/group_commit.ts";
import { parseHold } from "../_shared/wallet/outcomes.ts";
import type { Outcome, PlacedHold } from "../_shared/wallet/outcomes.ts";
import type { Mandate } from "./operations.ts";

/** A hold as the ledger takes it. */
export type WantedHold = {
  account_id: string;
  amount_micros: string;
  currency: string;
  expires_at: string | null;
};

/** Places one hold under its key; rejects when nobody knows whether it was placed. */
export type PlaceWalletHold = (mandate: Mandate, hold: WantedHold) => Promise<Outcome<PlacedHold>>;

type Asked = { mandate: Mandate; hold: WantedHold };
type Answered = { outcome: Outcome<PlacedHold> } | { failure: unknown };

const MAX_BATCH = 500;
const MAX_WAITING = 4_000;
/** Somebody else holds what is needed for longer than Postgres waits. */
const LOCK_NOT_AVAILABLE = "55P03";

/**
 * Concurrent holds of a caller share one call: their wallet is one row, and a lock of it for each
 * would make a queue of them. Each has its own answer, and callers never wait for each other.
 */
export function createPlaceWalletHold(call: CallRpc): PlaceWalletHold {
  const groups = new Map<string, GroupCommit<Asked, Answered>>();

  function groupOf(name: string): GroupCommit<Asked, Answered> {
    const known = groups.get(name);
    if (known) return known;
    const group = createGroupCommit<Asked, Answered>({
      commit: (asked) => placeTogether(call, asked),
      maxBatch: MAX_BATCH,
      maxWaiting: MAX_WAITING,
    });
    groups.set(name, group);
    return group;
  }

  return async (mandate, hold) => {
    const { tenant_id, actor } = mandate;
    const name = JSON.stringify([tenant_id, actor]);
    const group = groupOf(name);
    try {
      const answered = await group.submit({ mandate, hold });
      if ("failure" in answered) throw answered.failure;
      return answered.outcome;
    } finally {
      if (group.isIdle()) groups.delete(name);
    }
  };
}

const rows = z.array(z.object({ index: z.int(), answer: z.unknown() }));

async function placeTogether(call: CallRpc, asked: Asked[]): Promise<Answered[]> {
  const [first] = asked;
  if (first === undefined || asked.length === 1) return await placeEach(call, asked);
  const { tenant_id, actor } = first.mandate;
  const holds = asked.map(({ mandate, hold }, index) => ({
    index,
    ...mandate.idempotency,
    ...hold,
  }));
  try {
    const returned = rows.parse(await call("place_wallet_holds", { tenant_id, actor, holds }));
    const answers = new Map(returned.map(({ index, answer }) => [index, answer]));
    return asked.map((_, index) => ({ outcome: parseHold(answers.get(index)) }));
  } catch (error) {
    // Nothing was done. One key in flight must not keep the others waiting, nor refuse them.
    if (!(error instanceof DatabaseError) || error.code !== LOCK_NOT_AVAILABLE) throw error;
    return await placeEach(call, asked);
  }
}

async function placeEach(call: CallRpc, asked: Asked[]): Promise<Answered[]> {
  return await Promise.all(asked.map(async ({ mandate, hold }): Promise<Answered> => {
    try {
      return { outcome: parseHold(await call("place_wallet_hold", { ...mandate, hold })) };
    } catch (failure) {
      return { failure };
    }
  }));
}
