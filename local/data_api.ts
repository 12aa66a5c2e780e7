import { App } from "@supabase/lite";
import { createPostgresConnection } from "@supabase/lite/postgres";

/** Creates auth.users and its kin, which hosted migrations may refer to. */
export async function ensureAuthSchema(databaseUrl: string): Promise<void> {
  const connection = createPostgresConnection({ url: databaseUrl });
  try {
    await new App({ connection }).ensureSystemSchema();
  } finally {
    await connection.close();
  }
}
