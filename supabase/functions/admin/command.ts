import type { CredentialMemory } from "../_shared/credentials/credentials.ts";
import type { StatisticsStore } from "../_shared/credentials/statistics_store.ts";
import type { Reach } from "../_shared/callbacks/address.ts";
import type { CallRpc } from "../_shared/database.ts";
import type { Caller, Identify } from "../_shared/http/caller.ts";
import type { SharedBreakers } from "../_shared/resilience/breaker_store.ts";
import type { Log } from "../_shared/telemetry/log.ts";

/** What operators may do with the breakers that all isolates share. */
export type BreakerConsole = Pick<SharedBreakers, "list" | "reset" | "isolate">;

/** No body of an operator's request is longer. */
export const MAX_BODY_BYTES = 16_384;

/** What the commands need of the world. */
export interface AdminDeps {
  call: CallRpc;
  identify: Identify;
  randomBytes: (length: number) => Uint8Array;
  /** Every address of a host; throws when it has none. */
  resolve: (hostname: string) => Promise<string[]>;
  /** Where tenant callbacks may go. */
  reach: Reach;
  /** Null where there is no Redis. */
  statistics: StatisticsStore | null;
  /** Of each isolate that sends. */
  memory: CredentialMemory;
  /** Null where there is no Redis. */
  breakers: BreakerConsole | null;
}

/** A request that was admitted, and on whose behalf. */
export interface Command extends AdminDeps {
  request: Request;
  caller: Caller;
  /** Who did it, for the audit log. */
  actor: { kind: string; id?: string; request_id: string };
  param: (name: string) => string;
  log: Log;
}
