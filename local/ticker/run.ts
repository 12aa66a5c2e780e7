import postgres from "postgres";

/** A row of cron.job. */
export interface Job {
  jobid: string;
  schedule: string;
  command: string;
  database: string;
  username: string;
}

export type RunOutcome = { status: "succeeded" | "failed"; message: string };

/** A run under way. */
export interface JobRun {
  readonly outcome: Promise<RunOutcome>;
  /** Ends the connection, and the statement with it. */
  abort(): void;
}

/**
 * Runs a job's command as pg_cron does: in a connection of its own, as the job's user, outside any
 * transaction but those that it begins. A failing command is an outcome, never a rejection.
 */
export function runJob(job: Job, databaseUrl: string): JobRun {
  const url = new URL(databaseUrl);
  url.pathname = `/${job.database}`;
  const sql = postgres(url.href, {
    max: 1,
    fetch_types: false,
    onnotice: () => {},
    connection: { application_name: "pg_cron" },
  });
  const abort = () => void sql.end({ timeout: 0 });
  return { outcome: run(sql, job).finally(abort), abort };
}

async function run(sql: postgres.Sql, job: Job): Promise<RunOutcome> {
  try {
    // Where the connecting user is not the job's, it must be a member of it.
    const role = job.username.replaceAll('"', '""');
    await sql.unsafe(`select set_config('role', '${role.replaceAll("'", "''")}', false)`);
    const results = await sql.unsafe(job.command).simple();
    return { status: "succeeded", message: describe(results) };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { status: "failed", message: `ERROR:  ${message}` };
  }
}

// As pg_cron: how many rows a query gave, else the command's own tag.
function describe(results: unknown): string {
  const list: unknown[] = Array.isArray(results) && Array.isArray(results[0]) ? results : [results];
  const { command = "", count = 0 } = list.at(-1) as { command?: string; count?: number };
  if (command === "SELECT") return count === 1 ? "1 row" : `${count} rows`;
  return count ? `${command} ${count}` : command;
}
