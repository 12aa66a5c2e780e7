import { Cron } from "croner";

/** When a job of pg_cron runs. */
export type Schedule =
  | { kind: "interval"; everyMs: number }
  /** Five fields, in GMT. */
  | { kind: "calendar"; isDue(after: number, until: number): boolean }
  | { kind: "startup" };

/** Reads a schedule as pg_cron 1.6 does; null when it is none. */
export function parseSchedule(text: string): Schedule | null {
  const seconds = /^\s*([1-9]|[1-5]\d)\s+seconds?\s*$/i.exec(text)?.[1];
  if (seconds) return { kind: "interval", everyMs: Number(seconds) * 1_000 };
  if (/^\s*@reboot\s*$/i.test(text)) return { kind: "startup" };
  try {
    const cron = new Cron(lastDayOfMonth(text), { mode: "5-part", timezone: "UTC" });
    return {
      kind: "calendar",
      isDue: (after, until) => {
        const next = cron.nextRun(new Date(after));
        return next !== null && next.getTime() <= until;
      },
    };
  } catch {
    return null;
  }
}

// pg_cron writes $ for what others write L.
function lastDayOfMonth(text: string): string {
  return text.trim().replace(/^(\S+\s+\S+\s+)\$(?=\s)/, "$1L");
}

/** One job's place in time; replaced whole at every step. */
export interface JobClock {
  schedule: Schedule;
  checkedAt: number;
  /** Of an interval job, the last run; before the first, when the job was seen. */
  startedAt: number;
  /** Runs that are due and wait for the one that is under way. */
  due: number;
  isRunning: boolean;
}

/** A job that was seen for the first time or got another schedule. */
export function newJobClock(schedule: Schedule, now: number): JobClock {
  const due = schedule.kind === "startup" ? 1 : 0;
  return { schedule, checkedAt: now, startedAt: now, due, isRunning: false };
}

/**
 * Adds the run that came due since the last look. Calendar runs queue up behind one that takes
 * long, interval runs queue at most one; a stretch in which nobody looked counts as one run.
 */
export function advanceClock(clock: JobClock, now: number): JobClock {
  const { schedule } = clock;
  switch (schedule.kind) {
    case "interval": {
      const due = now - clock.startedAt >= schedule.everyMs ? 1 : clock.due;
      return { ...clock, checkedAt: now, due };
    }
    case "calendar": {
      const due = clock.due + (schedule.isDue(clock.checkedAt, now) ? 1 : 0);
      return { ...clock, checkedAt: now, due };
    }
    case "startup":
      return { ...clock, checkedAt: now };
  }
}

/** Whether the next run may start: one run of a job at a time. */
export function mayStart(clock: JobClock): boolean {
  return clock.due > 0 && !clock.isRunning;
}

/** The clock of a job whose next run starts now. */
export function startRun(clock: JobClock, now: number): JobClock {
  return { ...clock, startedAt: now, due: clock.due - 1, isRunning: true };
}
