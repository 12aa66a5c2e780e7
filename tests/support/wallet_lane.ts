import { connectFunctions } from "./wallet.ts";
import { eventually } from "./eventually.ts";
import type { Sql, TestDatabase } from "./database.ts";

/** Who lets go of the other in the midst of something: the server, or the client that vanishes. */
export type Cut = "server" | "client";

interface Line {
  sql: Sql;
  pid: number;
}

/** Connections of one database that are cut at any moment, and opened again. */
export interface Lane {
  readonly sql: Sql;
  /** A connection that runs as the Edge Functions do, or as the owner that runs the jobs. */
  lineOf(nth: number, asOwner: boolean): Sql;
  /** Cuts that connection after so many round trips of another one; returns when it is gone. */
  cut(nth: number, asOwner: boolean, by: Cut, roundTrips: number): Promise<void>;
}

/** Opens so many connections for each of the two roles. */
export async function openLane(
  database: TestDatabase,
  counts: { functions: number; owners: number },
): Promise<Lane> {
  const { sql } = database;
  const functions = await connectFunctions(database, counts.functions);
  const owners = Array.from({ length: counts.owners }, () => database.connect());
  const lines = { functions: await identify(functions), owners: await identify(owners) };
  const of = (asOwner: boolean) => asOwner ? lines.owners : lines.functions;

  return {
    sql,
    lineOf: (nth, asOwner) => of(asOwner)[nth % of(asOwner).length]!.sql,
    async cut(nth, asOwner, by, roundTrips) {
      const all = of(asOwner);
      const { sql: line, pid } = all[nth % all.length]!;
      for (let trip = 0; trip < roundTrips; trip++) await sql`select`;
      if (by === "server") await sql`select pg_terminate_backend(${pid}, 10_000)`;
      await line.end({ timeout: 0 });
      // What a vanished client has asked for is still done, and nobody is told.
      const isThere = () => sql`select from pg_stat_activity where pid = ${pid}`;
      await eventually(isThere, (rows) => rows.count === 0, { intervalMs: 2 });
      const fresh = asOwner ? [database.connect()] : await connectFunctions(database);
      all[nth % all.length] = (await identify(fresh))[0]!;
    },
  };
}

/** Whether an error says that the connection was cut: what was asked has happened, or it has not. */
export function isCut(error: { code?: string }): boolean {
  // 57P01: the connection was terminated.
  return [
    "57P01",
    "CONNECTION_CLOSED",
    "CONNECTION_DESTROYED",
    "CONNECTION_ENDED",
    "ECONNRESET",
    "EPIPE",
  ].includes(error.code ?? "");
}

function identify(lines: Sql[]): Promise<Line[]> {
  return Promise.all(
    lines.map(async (sql) => ({ sql, pid: (await sql`select pg_backend_pid() as pid`)[0]!.pid })),
  );
}
