import { applyMigrations } from "../local/migrate.ts";
import { startPostgres } from "../local/postgres/postgres.ts";
import { removePostgresFolder } from "../local/postgres/folder.ts";

/** Runs `use` with the address of a new Postgres that has all migrations, then deletes it. */
export async function withDatabase<T>(use: (databaseUrl: string) => Promise<T>): Promise<T> {
  const dir = await Deno.makeTempDir({ prefix: "switchyard-" });
  const log = () => {};
  try {
    const postgres = await startPostgres({ dir, port: 0, log });
    try {
      await applyMigrations({ databaseUrl: postgres.url, log });
      return await use(postgres.url);
    } finally {
      await postgres.stop();
    }
  } finally {
    await removePostgresFolder(dir);
    await Deno.remove(dir, { recursive: true });
  }
}
