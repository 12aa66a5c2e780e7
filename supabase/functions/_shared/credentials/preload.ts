import type { CallRpc } from "../database.ts";
import type { Log } from "../telemetry/log.ts";
import type { CredentialLayers } from "./credentials.ts";

export interface PreloadDeps {
  call: CallRpc;
  credentials: Pick<CredentialLayers, "preload">;
  log: Log;
  /** Tokens at most; 0: none. */
  most: number;
}

/**
 * Warms the memory of a new isolate with the tokens of the senders whose messages are due next, so that
 * its claims after the first find them there. Only the first call does anything, and it never fails:
 * what cannot be had now, a claim asks for.
 */
export function createPreload({ call, credentials, log, most }: PreloadDeps): () => Promise<void> {
  let isDone = most === 0;
  return async () => {
    if (isDone) return;
    isDone = true;
    try {
      const rows = await call("senders_to_preload", { most });
      if (rows.length === 0) return;
      const senders = rows.map((row) => ({
        senderId: row.sender_id,
        phoneNumberId: row.phone_number_id,
        credentialVersion: row.credential_version,
      }));
      await credentials.preload(senders, rows[0]!.cache_generation);
    } catch (error) {
      log.warn("credentials.preload_failed", { error });
    }
  };
}
