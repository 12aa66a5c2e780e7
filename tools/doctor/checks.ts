/** What the doctor examines: a project's database, its HTTP address, and what it should have. */
export interface Project {
  url: string;
  secretKey: string;
  functions: readonly string[];
  migrations: readonly string[];
  query: (sql: string, values?: string[]) => Promise<Record<string, unknown>[]>;
  fetch: (url: string, init?: RequestInit) => Promise<Response>;
}

/** One thing that must be so; `examine` returns what to do about it, or null when all is well. */
export interface Check {
  title: string;
  examine: (project: Project) => Promise<string | null>;
}

const requiredExtensions: readonly { name: string; atLeast: string }[] = [
  { name: "pgmq", atLeast: "1.5.1" },
  { name: "pg_cron", atLeast: "1.6" },
  { name: "pg_net", atLeast: "0.14" },
  { name: "supabase_vault", atLeast: "0.3" },
];
const maxHeartbeatAgeSeconds = 30;

/** Every check in the order in which one thing needs another. */
export function listChecks(project: Project): Check[] {
  return [
    { title: "database answers", examine: findDatabase },
    ...requiredExtensions.map(checkExtension),
    { title: "migrations are applied", examine: findMissingMigrations },
    { title: "switchyard_api is exposed", examine: checkExposed },
    { title: "switchyard is not exposed", examine: checkHidden },
    { title: "Vault has what rings the functions", examine: checkVault },
    { title: "cron beats", examine: checkHeartbeat },
    ...project.functions.map(checkFunction),
    { title: "secret key is accepted", examine: checkSecretKey },
  ];
}

async function findDatabase({ query }: Project): Promise<string | null> {
  try {
    await query("select 1");
    return null;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return `Check SUPABASE_DB_URL (dashboard, Connect): ${reason}`;
  }
}

function checkExtension({ name, atLeast }: { name: string; atLeast: string }): Check {
  return {
    title: `extension ${name} is at least ${atLeast}`,
    async examine({ query }) {
      const rows = await query("select extname, extversion from pg_extension");
      const found = rows.find((row) => row.extname === name)?.extversion;
      if (found === undefined) return "Apply the migrations: they create it (supabase db push).";
      if (compareVersions(String(found), atLeast) >= 0) return null;
      return `It is ${found}: upgrade the project (Settings, Infrastructure).`;
    },
  };
}

function compareVersions(left: string, right: string): number {
  return left.localeCompare(right, "en", { numeric: true });
}

async function findMissingMigrations({ query, migrations }: Project): Promise<string | null> {
  const [table] = await query(
    "select to_regclass('supabase_migrations.schema_migrations')::text as name",
  );
  if (typeof table?.name !== "string") return "None is: run supabase db push.";
  const rows = await query("select version from supabase_migrations.schema_migrations");
  const applied = new Set(rows.map((row) => String(row.version)));
  const missing = migrations.filter((version) => !applied.has(version));
  if (missing.length === 0) return null;
  return `${missing.length} of ${migrations.length} are not, from ${missing[0]}: supabase db push.`;
}

async function checkExposed(project: Project): Promise<string | null> {
  const response = await callRest(project, "rpc/health_snapshot", "switchyard_api", "{}");
  if (response.ok) return null;
  return `The Data API answers ${response.status}: add switchyard_api to the exposed schemas ` +
    "(Settings, Data API).";
}

async function checkHidden(project: Project): Promise<string | null> {
  const response = await callRest(project, "tenants?limit=1", "switchyard");
  if (!response.ok) return null;
  return "Remove switchyard from the exposed schemas (Settings, Data API): only switchyard_api is.";
}

async function callRest(
  project: Project,
  path: string,
  schema: string,
  body?: string,
): Promise<Response> {
  const headers = {
    apikey: project.secretKey,
    "accept-profile": schema,
    "content-profile": schema,
    "content-type": "application/json",
  };
  const init = body === undefined ? { headers } : { headers, method: "POST", body };
  return await drain(await project.fetch(`${project.url}/rest/v1/${path}`, init));
}

async function checkVault({ query, url }: Project): Promise<string | null> {
  const rows = await query(
    "select name, name = 'switchyard_project_url' and decrypted_secret <> $1 as differs " +
      "from vault.decrypted_secrets where name in ('switchyard_project_url', 'switchyard_secret_key')",
    [url],
  );
  for (const name of ["switchyard_project_url", "switchyard_secret_key"]) {
    if (!rows.some((row) => row.name === name)) {
      return `Add ${name} (dashboard, Integrations, Vault): see docs/deploy.md, step 3.`;
    }
  }
  if (!rows.some((row) => row.differs === true)) return null;
  return "switchyard_project_url is not SUPABASE_URL: correct it in Vault (no slash at its end).";
}

async function checkHeartbeat({ query }: Project): Promise<string | null> {
  const [row] = await query(
    "select extract(epoch from clock_timestamp() - ticked_at)::float8 as age_seconds " +
      "from switchyard.settings",
  );
  const age = row?.age_seconds;
  if (typeof age === "number" && age <= maxHeartbeatAgeSeconds) return null;
  const seen = typeof age === "number" ? `Last seen ${Math.round(age)} s ago` : "Never seen";
  return `${seen}: look at cron.job_run_details for switchyard-tick; a fast reboot restarts cron.`;
}

function checkFunction(name: string): Check {
  return {
    title: `function ${name} answers`,
    async examine({ url, fetch }) {
      const response = await drain(await fetch(`${url}/functions/v1/${name}`));
      // Ours are recognised by their request id; the platform's own errors have none.
      if (response.headers.has("x-request-id") && response.status < 500) return null;
      const isMissing = response.status === 404;
      return isMissing
        ? "It is not deployed: supabase functions deploy."
        : `It answers ${response.status}: its log names what is missing (dashboard, Functions).`;
    },
  };
}

async function checkSecretKey(project: Project): Promise<string | null> {
  const response = await drain(
    await project.fetch(`${project.url}/functions/v1/health/detailed`, {
      headers: { apikey: project.secretKey },
    }),
  );
  if (response.status !== 401 && response.status !== 403) return null;
  return "The functions refuse SUPABASE_SECRET_KEY: use one of Settings, API keys.";
}

async function drain(response: Response): Promise<Response> {
  await response.body?.cancel();
  return response;
}
