import type { Fields, Log } from "../_shared/telemetry/log.ts";

/**
 * A log without the line of each webhook that was stored: the line of the commit, events.stored, tells
 * of all that it stored, and at thousands a second the lines would cost more than the webhooks.
 * Everything else is logged as ever.
 */
export function createQuietLog(log: Log, own: Fields = {}): Log {
  // Most requests log nothing, and a log of their own is made for those that do.
  let made: Log | null = null;
  const full = () => made ??= log.with(own);
  return {
    info(event, fields) {
      if (event !== "request.answered" || !isStored(fields)) full().info(event, fields);
    },
    warn: (event, fields) => full().warn(event, fields),
    error: (event, fields) => full().error(event, fields),
    with: (fields) => createQuietLog(log, { ...own, ...fields }),
  };
}

function isStored(fields: Fields | undefined): boolean {
  return fields?.method === "POST" && fields.status === 200;
}
