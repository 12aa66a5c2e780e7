import { redact } from "./redact.ts";

export type Fields = Record<string, unknown>;

/** Writes one line of JSON an event; the event's name is noun.verb_past, such as send.attempted. */
export interface Log {
  info(event: string, fields?: Fields): void;
  warn(event: string, fields?: Fields): void;
  error(event: string, fields?: Fields): void;
  /** A log whose every line carries these fields too. */
  with(fields: Fields): Log;
}

type Level = "INFO" | "WARN" | "ERROR";

/** Hosted log lines end here. https://supabase.com/docs/guides/functions/limits (2026-11) */
const MAX_LINE_CHARACTERS = 10_000;

/** A log that never writes a secret, a message's content or an unmasked phone number. */
export function createLog(
  options: { write: (line: string) => void; now: () => number; fields: Fields },
): Log {
  const { write, now } = options;
  const emit = (level: Level, event: string, fields: Fields = {}) => {
    const start = { timestamp: new Date(now()).toISOString(), level, event };
    const line = JSON.stringify({ ...start, ...safe({ ...options.fields, ...fields }) });
    const fits = line.length <= MAX_LINE_CHARACTERS;
    write(fits ? line : JSON.stringify({ ...start, ...safe(options.fields), dropped: "fields" }));
  };
  return {
    info: (event, fields) => emit("INFO", event, fields),
    warn: (event, fields) => emit("WARN", event, fields),
    error: (event, fields) => emit("ERROR", event, fields),
    with: (fields) => createLog({ ...options, fields: { ...options.fields, ...fields } }),
  };
}

function safe(fields: Fields): Fields {
  return redact(fields) as Fields;
}
