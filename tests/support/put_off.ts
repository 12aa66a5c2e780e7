import { createDatabase, type Sql } from "./database.ts";
import { later, NOW } from "./now.ts";
import { anItem, type Claim, enqueue, settle } from "./outbound.ts";
import { createTenancy, type Tenancy } from "./tenancy.ts";

/** So many messages wait. */
export const BACKLOG = 30;
/** More than that, also where a claim takes a part from each of several lanes. */
export const ALL = 3 * BACKLOG;

/** A sender with a backlog that is due. */
export async function withBacklog(
  use: (sql: Sql, tenancy: Tenancy) => Promise<void>,
): Promise<void> {
  await using database = await createDatabase();
  const tenancy = await createTenancy(database.sql, { throughputPerSecond: 1000 });
  const items = Array.from(
    { length: BACKLOG },
    (_, nth) => anItem(tenancy, { to: `+1555020${String(nth).padStart(4, "0")}` }),
  );
  await enqueue(database.sql, tenancy, items, later(-60_000));
  await use(database.sql, tenancy);
}

/** Puts claimed messages off, each a second after the other. */
export async function putOff(sql: Sql, claims: Claim[], waiting_for: string): Promise<void> {
  const outcomeOf = ({ id }: Claim) => ({
    outcome: "deferred",
    waiting_for,
    due_at: later(1000 * (1 + claims.findIndex((it) => it.id === id))).toISOString(),
  });
  await settle(sql, claims, outcomeOf, NOW);
}

export const idsOf = (claims: Claim[]) => claims.map(({ id }) => id);
