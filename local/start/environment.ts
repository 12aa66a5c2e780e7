import { join } from "node:path";
import { z } from "zod";

import { jwksOf } from "../data_api/tokens.ts";

/** The secrets of one local project, made once for its folder. */
export type ProjectKeys = z.infer<typeof projectKeys>;

const projectKeys = z.object({
  publishable_key: z.string().startsWith("sb_publishable_"),
  secret_key: z.string().startsWith("sb_secret_"),
  jwt_secret: z.string().min(32),
  upstash_token: z.string().min(1),
  app_secret: z.string().min(1),
  verify_token: z.string().min(1),
  encryption_keys: z.string().min(1),
});

/** Fills so many bytes from the cryptographic source. */
export type RandomBytes = (length: number) => Uint8Array<ArrayBuffer>;

/**
 * Gives the keys of the project kept in `dir`, made at the first call and the same ever after.
 * Throws when the file that keeps them was damaged.
 */
export async function readOrCreateKeys(
  dir: string,
  randomBytes: RandomBytes,
): Promise<ProjectKeys> {
  const path = join(dir, "keys.json");
  const text = await readIfPresent(path);
  if (text === null) {
    const keys = createKeys(randomBytes);
    await writePrivateFile(path, JSON.stringify(keys, null, 2) + "\n");
    return keys;
  }
  const keys = projectKeys.safeParse(parseJson(text));
  if (keys.success) return keys.data;
  throw new Error(`${path} is damaged: delete it to get new keys.`);
}

function createKeys(randomBytes: RandomBytes): ProjectKeys {
  const token = (length: number) => randomBytes(length).toBase64({ alphabet: "base64url" });
  return {
    publishable_key: `sb_publishable_${token(24)}`,
    secret_key: `sb_secret_${token(24)}`,
    jwt_secret: token(48),
    upstash_token: token(24),
    // As long as Meta's, which is 32 hexadecimal digits.
    app_secret: randomBytes(16).toHex(),
    verify_token: token(18),
    encryption_keys: `local-1:${randomBytes(32).toBase64()}`,
  };
}

export interface Addresses {
  apiUrl: string;
  databaseUrl: string;
  upstashUrl: string;
  graphUrl: string;
  consoleUrl: string;
  simulatorUrl: string;
}

/** What other programs read from the env file: addresses and the keys to use them with. */
export function publishedEnvironment(keys: ProjectKeys, at: Addresses): Record<string, string> {
  return {
    SUPABASE_URL: at.apiUrl,
    SUPABASE_DB_URL: at.databaseUrl,
    SUPABASE_PUBLISHABLE_KEY: keys.publishable_key,
    SUPABASE_SECRET_KEY: keys.secret_key,
    UPSTASH_REDIS_REST_URL: at.upstashUrl,
    UPSTASH_REDIS_REST_TOKEN: keys.upstash_token,
    WHATSAPP_APP_SECRET: keys.app_secret,
    WHATSAPP_VERIFY_TOKEN: keys.verify_token,
    WHATSAPP_GRAPH_URL: at.graphUrl,
    CONSOLE_URL: at.consoleUrl,
    SIMULATOR_URL: at.simulatorUrl,
  };
}

/** What a hosted project gives its functions, here with the local addresses. */
export function functionEnvironment(
  keys: ProjectKeys,
  at: Pick<Addresses, "apiUrl" | "databaseUrl" | "upstashUrl" | "graphUrl">,
): Record<string, string> {
  return {
    SUPABASE_URL: at.apiUrl,
    SUPABASE_DB_URL: at.databaseUrl,
    SUPABASE_PUBLISHABLE_KEYS: JSON.stringify({ default: keys.publishable_key }),
    SUPABASE_SECRET_KEYS: JSON.stringify({ default: keys.secret_key }),
    SUPABASE_JWKS: jwksOf(keys.jwt_secret),
    UPSTASH_REDIS_REST_URL: at.upstashUrl,
    UPSTASH_REDIS_REST_TOKEN: keys.upstash_token,
    WHATSAPP_APP_SECRET: keys.app_secret,
    WHATSAPP_VERIFY_TOKEN: keys.verify_token,
    WHATSAPP_GRAPH_URL: at.graphUrl,
    SWITCHYARD_ENCRYPTION_KEYS: keys.encryption_keys,
    SWITCHYARD_CALLBACK_ADDRESSES: "any",
    WALLET_STRIPE_WEBHOOK_SECRET: `whsec_${keys.app_secret}`,
    WALLET_TENANT_TOP_UPS: "allowed",
  };
}

/**
 * Writes `KEY=value` lines that both a POSIX shell (`. file`) and env-file readers understand, so
 * a value that would need quoting is refused.
 */
export function formatEnvFile(values: Record<string, string>): string {
  return Object.entries(values).map(([name, value]) => {
    if (!/^[\w@%+=:,./?-]*$/.test(value)) {
      throw new TypeError(`Cannot write ${name} to an env file: its value would need quotes`);
    }
    return `${name}=${value}\n`;
  }).join("");
}

/** Replaces a file that only its owner may read; readers see the old or the new text, whole. */
export async function writePrivateFile(path: string, text: string): Promise<void> {
  const draft = `${path}.${crypto.randomUUID()}.draft`;
  try {
    await Deno.writeTextFile(draft, text, { mode: 0o600 });
    await Deno.rename(draft, path);
  } catch (error) {
    await Deno.remove(draft).catch(() => {});
    throw error;
  }
}

/** The text of a file, or null when there is none. */
export async function readIfPresent(path: string): Promise<string | null> {
  return await Deno.readTextFile(path).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
