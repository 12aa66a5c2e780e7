import type { Log } from "../_shared/telemetry/log.ts";

/** Notes that a request was refused; says so in the log now and then, not every time. */
export type ReportRefusal = (event: string, log: Log) => void;

/**
 * Whoever finds the address can be refused without end: one line an event and interval says how
 * many there were, and never what they sent.
 */
export function createRefusalReport(
  { intervalMs, now }: { intervalMs: number; now: () => number },
): ReportRefusal {
  const seen = new Map<string, { quietUntil: number; unreported: number }>();
  return (event, log) => {
    const { quietUntil, unreported } = seen.get(event) ?? { quietUntil: 0, unreported: 0 };
    if (now() < quietUntil) {
      seen.set(event, { quietUntil, unreported: unreported + 1 });
      return;
    }
    seen.set(event, { quietUntil: now() + intervalMs, unreported: 0 });
    log.warn(event, { refused: unreported + 1 });
  };
}
