import type postgres from "postgres";

import { type Job, type JobRun, runJob } from "./run.ts";
import {
  advanceClock,
  type JobClock,
  mayStart,
  newJobClock,
  parseSchedule,
  startRun,
} from "./schedule.ts";

interface Known {
  job: Job;
  clock: JobClock;
}

const REFRESH_MS = 1_000;
/** pg_cron's cron.max_running_jobs. */
const MAX_RUNNING = 32;

/**
 * Stands in for pg_cron's background worker: runs the active jobs of cron.job when they are due, as
 * their user, one run of a job at a time, and records cron.job_run_details.
 */
export class CronTicker {
  readonly #options;
  readonly #known = new Map<string, Known>();
  readonly #running = new Map<Promise<void>, JobRun>();
  #readAt = -Infinity;

  constructor(options: {
    sql: postgres.Sql;
    databaseUrl: string;
    now: () => number;
    log: (line: string) => void;
  }) {
    this.#options = options;
  }

  /** Starts what is due; resolves when that is recorded, not when it has ended. */
  async tick(): Promise<void> {
    const { now } = this.#options;
    if (now() - this.#readAt >= REFRESH_MS) {
      await this.#readJobs();
      this.#readAt = now();
    }
    for (const known of this.#known.values()) {
      known.clock = advanceClock(known.clock, now());
      if (mayStart(known.clock) && this.#running.size < MAX_RUNNING) await this.#start(known);
    }
  }

  /** Resolves when no run is under way. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running.keys());
  }

  /** Ends the runs under way. */
  async stop(): Promise<void> {
    for (const run of this.#running.values()) run.abort();
    await this.idle();
  }

  async #readJobs(): Promise<void> {
    const jobs = await this.#options.sql<Job[]>`
      select jobid::text, schedule, command, database, username from cron.job where active`;
    const present = new Set(jobs.map((job) => job.jobid));
    for (const jobid of this.#known.keys()) if (!present.has(jobid)) this.#known.delete(jobid);
    for (const job of jobs) this.#remember(job);
  }

  #remember(job: Job): void {
    const known = this.#known.get(job.jobid);
    if (known?.job.schedule === job.schedule) {
      known.job = job;
      return;
    }
    const schedule = parseSchedule(job.schedule);
    if (schedule) {
      this.#known.set(job.jobid, { job, clock: newJobClock(schedule, this.#options.now()) });
      return;
    }
    this.#known.delete(job.jobid);
    this.#options.log(`warning: job ${job.jobid} never runs: "${job.schedule}" is no schedule`);
  }

  async #start(known: Known): Promise<void> {
    const { job } = known;
    const [details] = await this.#options.sql<{ runid: string }[]>`
      insert into cron.job_run_details (jobid, database, username, command, status, start_time)
      values (${job.jobid}, ${job.database}, ${job.username}, ${job.command}, 'running', now())
      returning runid::text`;
    known.clock = startRun(known.clock, this.#options.now());
    const run = runJob(job, this.#options.databaseUrl);
    const ended: Promise<void> = this.#record(known, run, details?.runid ?? "")
      .finally(() => this.#running.delete(ended));
    this.#running.set(ended, run);
  }

  async #record(known: Known, run: JobRun, runid: string): Promise<void> {
    const { status, message } = await run.outcome;
    known.clock = { ...known.clock, isRunning: false };
    const { sql, log } = this.#options;
    if (status === "failed") log(`warning: job ${known.job.jobid} failed: ${message}`);
    await sql`
      update cron.job_run_details
      set status = ${status}, return_message = ${message}, end_time = now()
      where runid = ${runid}`
      .catch(() => {}); // Postgres is away: the next start marks what stayed "running"
  }
}

/** Marks the runs that a killed ticker left "running", as pg_cron does when the server starts. */
export async function failInterruptedRuns(sql: postgres.Sql): Promise<void> {
  await sql`
    update cron.job_run_details
    set status = 'failed', return_message = 'server restarted', end_time = now()
    where status in ('starting', 'running')`;
}
