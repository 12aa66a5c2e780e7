import { join } from "node:path";
import postgres from "postgres";
import { z } from "zod";

import { readIfPresent, writePrivateFile } from "./environment.ts";

/** The tenant that a new platform has, so that the first message needs no preparation. */
export interface Demo {
  tenantId: string;
  apiKey: string;
}

export const DEMO_SENDER = {
  phone_number_id: "100000000000001",
  business_account_id: "200000000000001",
  display_phone_number: "+1 555 010 0001",
  access_token: "local-demo-token",
};

/** Who the demo tenant writes to: the phone that the simulator shows. */
export const DEMO_CUSTOMER = "15550100002";

/** Prices made up for trying things out; what Meta charges is on its own rate cards. */
const DEMO_RATES = new URL("./demo_rates.csv", import.meta.url);

const demoSchema = z.object({ tenant_id: z.string(), api_key: z.string() });
const idSchema = z.object({ id: z.string() });
const keySchema = z.object({ key: z.string() });

export interface DemoOptions {
  /** Of the functions: {API}/functions/v1. */
  functionsUrl: string;
  secretKey: string;
  databaseUrl: string;
  /** Where the key is kept, which the platform shows only once. */
  dir: string;
  fetch: typeof fetch;
}

/**
 * Gives the demo tenant with its sender, its bot and an API key, made through the admin function if they
 * are not there yet. The key of an earlier run is used again as long as it opens the door.
 */
export async function seedDemo(options: DemoOptions): Promise<Demo> {
  const path = join(options.dir, "demo.json");
  await importRates(options);
  const kept = await readKept(path);
  if (kept && await opens(kept, options)) return kept;
  const tenantId = await ensureTenant(options);
  const sender = await askAdmin(options, `/tenants/${tenantId}/senders`, DEMO_SENDER);
  if (!sender.ok && sender.status !== 409) throw await failure("add the demo sender", sender);
  const bot = await askAdmin(options, `/tenants/${tenantId}/bot`, { machine: "menu" }, "PUT");
  if (!bot.ok) throw await failure("choose the demo bot", bot);
  await bot.body?.cancel();
  const created = await askAdmin(options, `/tenants/${tenantId}/api-keys`, {
    name: "demo",
    role: "owner",
  });
  if (!created.ok) throw await failure("create the demo API key", created);
  const { key } = keySchema.parse(await created.json());
  const file = { tenant_id: tenantId, api_key: key };
  await writePrivateFile(path, JSON.stringify(file, null, 2) + "\n");
  return { tenantId, apiKey: key };
}

// So that a tenant can be set to prepaid at once; imported again, the card changes nothing.
async function importRates(options: DemoOptions): Promise<void> {
  const csv = await Deno.readTextFile(DEMO_RATES);
  const imported = await askAdmin(options, "/rate-cards", { name: "demo", csv });
  if (!imported.ok) throw await failure("import the demo rate card", imported);
  await imported.body?.cancel();
}

async function readKept(path: string): Promise<Demo | null> {
  try {
    const kept = demoSchema.parse(JSON.parse(await readIfPresent(path) ?? "null"));
    return { tenantId: kept.tenant_id, apiKey: kept.api_key };
  } catch {
    return null; // absent, or cut short: a new key is as good
  }
}

async function opens(demo: Demo, options: DemoOptions): Promise<boolean> {
  const response = await options.fetch(`${options.functionsUrl}/wa-messages?limit=1`, {
    headers: { authorization: `Bearer ${demo.apiKey}` },
  });
  await response.body?.cancel();
  if (response.ok) return true;
  if (response.status === 401 || response.status === 403) return false;
  throw new Error(`Cannot check the demo API key: wa-messages answers ${response.status}.`);
}

async function ensureTenant(options: DemoOptions): Promise<string> {
  const created = await askAdmin(options, "/tenants", { slug: "demo", name: "Demo" });
  if (created.ok) return idSchema.parse(await created.json()).id;
  if (created.status !== 409) throw await failure("create the demo tenant", created);
  await created.body?.cancel();
  return await findTenant(options.databaseUrl);
}

// The API lists no tenants.
async function findTenant(databaseUrl: string): Promise<string> {
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  try {
    const [found] = await sql`select id from switchyard.tenants where slug = 'demo'`;
    return idSchema.parse(found).id;
  } finally {
    await sql.end();
  }
}

async function askAdmin(
  options: DemoOptions,
  path: string,
  body: unknown,
  method = "POST",
): Promise<Response> {
  return await options.fetch(`${options.functionsUrl}/admin${path}`, {
    method,
    headers: { apikey: options.secretKey, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
}

async function failure(action: string, response: Response): Promise<Error> {
  const said = (await response.text()).slice(0, 300);
  return new Error(
    `Cannot ${action}: the admin function answers ${response.status} ${said} (--no-demo starts without it)`,
  );
}
