import { type CallRpc, DatabaseError } from "../_shared/database.ts";
import { retry } from "../_shared/resilience/retry.ts";

const MAX_TRIES = 3;
/** Postgres gave this transaction up for another's sake: nothing was done. */
const LOST_RACES = ["40001", "40P01"];

export interface LostRacesDeps {
  sleep: (ms: number) => Promise<void>;
  random: () => number;
}

/**
 * The same call, made again when Postgres gave it up for another's sake: three times in all, after a
 * wait that grows and is drawn by chance. Whoever else is in the way is the caller's to wait for.
 */
export function retryLostRaces(call: CallRpc, { sleep, random }: LostRacesDeps): CallRpc {
  return (name, args, options) =>
    retry(() => call(name, args, options), { maxTries: MAX_TRIES, isTransient, sleep, random });
}

function isTransient(error: unknown): boolean {
  return error instanceof DatabaseError && LOST_RACES.includes(error.code);
}
