import postgres from "postgres";

/** Stores these secrets in Vault by name; what has the name already is replaced. */
export async function storeSecrets(
  databaseUrl: string,
  secrets: Record<string, string>,
): Promise<void> {
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  try {
    for (const [name, secret] of Object.entries(secrets)) {
      const [known] = await sql<
        { id: string }[]
      >`select id from vault.secrets where name = ${name}`;
      if (known) await sql`select vault.update_secret(${known.id}, ${secret})`;
      else await sql`select vault.create_secret(${secret}, ${name})`;
    }
  } finally {
    await sql.end();
  }
}

/**
 * Does what cron does every five seconds, once at the start: until then the platform, though well,
 * would call itself degraded, and what a killed run left undone would wait.
 */
export async function tickOnce(databaseUrl: string): Promise<void> {
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  try {
    await sql`select switchyard.tick()`;
  } finally {
    await sql.end();
  }
}
