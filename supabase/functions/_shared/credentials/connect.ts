import type { ConfigOf } from "../config.ts";
import type { CallRpc } from "../database.ts";
import { createCredentials } from "./credentials.ts";
import type { Credentials } from "./credentials.ts";
import { createStatisticsReport } from "./statistics_report.ts";
import { createStatisticsStore, REDIS_VARIABLES } from "./statistics_store.ts";

/** What the credential layers read of the environment. */
export const CREDENTIAL_VARIABLES = [
  ...REDIS_VARIABLES,
  "WHATSAPP_PHONE_NUMBER_ID",
  "WHATSAPP_ACCESS_TOKEN",
] as const;

export interface ConnectedCredentials {
  credentials: Credentials;
  reportStatistics: () => Promise<void>;
}

/** The layers without Redis, retries and breaker: memory, the database, the environment. */
export function connectCredentials(
  config: ConfigOf<(typeof CREDENTIAL_VARIABLES)[number]>,
  deps: { call: CallRpc; now: () => number; deadline: (ms: number) => AbortSignal },
): ConnectedCredentials {
  const { WHATSAPP_PHONE_NUMBER_ID: phoneNumberId, WHATSAPP_ACCESS_TOKEN: accessToken } = config;
  const credentials = createCredentials({
    shared: null,
    stored: {
      async read(senderIds) {
        const rows = await deps.call("read_credentials", { sender_ids: senderIds });
        return new Map(rows.map((row) => [row.sender_id, {
          version: row.credential_version,
          value: row.access_token,
        }]));
      },
    },
    fallback: phoneNumberId && accessToken ? { phoneNumberId, accessToken } : null,
    now: deps.now,
  });
  const store = createStatisticsStore(config, deps.deadline);
  return { credentials, reportStatistics: createStatisticsReport(credentials, store) };
}
