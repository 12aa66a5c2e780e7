import * as z from "zod";
import type { Bytes } from "./bytes.ts";

/** An environment value that an earlier sibling variable may provide under another name. */
interface Variable<T> {
  schema: z.ZodType<T, string | undefined>;
  about: string;
  default?: string;
  /** Set by Supabase itself on a hosted project. */
  platform?: true;
  /** Read when the variable is absent; one value becomes `{"default": value}`. */
  singular?: string;
}

const text = z.string();
const optionalText = z.string().optional();
const httpUrl = z.string().refine((value) => /^https?:$/.test(protocolOf(value))).transform((
  value,
) => value.replace(/\/+$/, ""));
const namedKeys = z.string().transform((value, context) => {
  const keys = z.record(z.string().min(1), z.string().min(1)).safeParse(parseJson(value));
  if (keys.success && Object.keys(keys.data).length > 0) return keys.data;
  context.addIssue("is not a JSON object of names and keys");
  return z.NEVER;
});
const jsonWebKeys = z.string().optional().transform((value, context) => {
  if (value === undefined) return undefined;
  const parsed = z.object({ keys: z.array(z.looseObject({ kty: z.string() })) }).safeParse(
    parseJson(value),
  );
  if (parsed.success) return parsed.data;
  context.addIssue("is not a JSON Web Key Set");
  return z.NEVER;
});
const appSecrets = z.string().transform(splitList).pipe(z.array(z.string()).min(1).max(2));
const webhookSecrets = z.string().optional().transform((value) =>
  value === undefined ? undefined : splitList(value)
).pipe(z.array(z.string()).min(1).max(4).optional());
const encryptionKeys = z.string().optional().transform((value, context) => {
  if (value === undefined) return undefined;
  const keys = splitList(value).map(parseEncryptionKey);
  const isComplete = keys.length > 0 && keys.every((key) => key !== null);
  // Of two keys with one id, which one opens what it sealed would be a matter of chance.
  if (isComplete && new Set(keys.map(({ id }) => id)).size === keys.length) return keys;
  context.addIssue("is not a list of keyid:base64 with 32 bytes each and different ids");
  return z.NEVER;
});

function integer(min: number, max: number) {
  return z.string().regex(/^\d{1,9}$/).transform(Number).pipe(z.number().min(min).max(max));
}

/** Every environment variable that a function reads, once. */
export const VARIABLES = {
  SUPABASE_URL: {
    schema: httpUrl,
    about: "address of the project",
    platform: true,
  },
  SUPABASE_SECRET_KEYS: {
    schema: namedKeys,
    about: "JSON object of named secret keys; SUPABASE_SECRET_KEY is read where it is absent",
    platform: true,
    singular: "SUPABASE_SECRET_KEY",
  },
  SUPABASE_PUBLISHABLE_KEYS: {
    schema: namedKeys,
    about:
      "JSON object of named publishable keys; SUPABASE_PUBLISHABLE_KEY is read where it is absent",
    platform: true,
    singular: "SUPABASE_PUBLISHABLE_KEY",
  },
  SUPABASE_JWKS: {
    schema: jsonWebKeys,
    about: "JSON Web Key Set that signs user sessions; absent: fetched from the project",
    platform: true,
  },
  UPSTASH_REDIS_REST_URL: {
    schema: httpUrl.optional(),
    about: "Upstash REST address; absent together with the token: no Redis, everything still works",
  },
  UPSTASH_REDIS_REST_TOKEN: {
    schema: optionalText,
    about: "Upstash REST token, standard (not read-only)",
  },
  WHATSAPP_APP_SECRET: {
    schema: appSecrets,
    about: "secret of the Meta app that signs webhooks; while rotating: current,previous",
  },
  WHATSAPP_VERIFY_TOKEN: {
    schema: text,
    about: "token that Meta repeats when the webhook address is saved; choose any long text",
  },
  WHATSAPP_GRAPH_URL: {
    schema: httpUrl,
    about: "Graph API address",
    default: "https://graph.facebook.com",
  },
  WHATSAPP_GRAPH_VERSION: {
    schema: z.string().regex(/^v\d+\.\d+$/),
    about: "Graph API version",
    default: "v25.0",
  },
  WHATSAPP_PHONE_NUMBER_ID: {
    schema: z.string().regex(/^\d+$/).optional(),
    about: "fallback credential: the one sender that it answers for",
  },
  WHATSAPP_ACCESS_TOKEN: {
    schema: optionalText,
    about: "fallback credential: access token of that sender",
  },
  WHATSAPP_BUSINESS_ACCOUNT_ID: {
    schema: z.string().regex(/^\d+$/).optional(),
    about: "fallback credential: business account of that sender",
  },
  SWITCHYARD_CALLBACK_ADDRESSES: {
    schema: z.enum(["public", "any"]),
    about:
      "where tenant callbacks may go: public, or any for a local platform; never any where others can reach",
    default: "public",
  },
  SWITCHYARD_ENCRYPTION_KEYS: {
    schema: encryptionKeys,
    about:
      "keyid:base64 list of 32-byte keys, ids different, for cached tokens; first encrypts; absent: no L2",
  },
  SWITCHYARD_CREDENTIAL_CACHE_SIZE: {
    schema: integer(1, 100_000),
    about:
      "access tokens in the memory of one isolate, 1 to 100000; the least recently used go first",
    default: "1000",
  },
  SWITCHYARD_CREDENTIAL_CACHE_TTL_SECONDS: {
    schema: integer(1, 86_400),
    about: "for so long a token is served from memory, 1 to 86400; a rotated one never is",
    default: "900",
  },
  SWITCHYARD_CREDENTIAL_PRELOAD: {
    schema: integer(0, 1_000),
    about: "tokens that a new isolate reads beside its first claim, those needed next, 0 to 1000",
    default: "100",
  },
  SWITCHYARD_BACKPRESSURE_HIGH_DEPTH: {
    schema: integer(1, 9_999),
    about: "when more messages than this are due, claims are halved, 1 to 9999",
    default: "1000",
  },
  SWITCHYARD_BACKPRESSURE_LOW_DEPTH: {
    schema: integer(1, 9_999),
    about: "when fewer are due, claims are full again, 1 to the high depth",
    default: "100",
  },
  WALLET_STRIPE_WEBHOOK_SECRET: {
    schema: webhookSecrets,
    about:
      "secrets that Stripe signs webhooks with (whsec_…), comma-separated; absent: /wallet/providers/stripe is not there",
  },
  WALLET_TENANT_TOP_UPS: {
    schema: z.enum(["allowed", "refused"]).optional(),
    about:
      "allowed or refused: whether tenants may credit themselves by POST /wallet/topups; absent: until a Stripe secret is set",
  },
} satisfies Record<string, Variable<unknown>>;

export type VariableName = keyof typeof VARIABLES;
export type ConfigOf<K extends VariableName> = {
  [N in K]: z.output<(typeof VARIABLES)[N]["schema"]>;
};

type Env = (name: string) => string | undefined;

// Half a Redis address is a mistake, not a choice.
const BOTH_OR_NEITHER: readonly (readonly [VariableName, VariableName])[] = [
  ["UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN"],
];

// The other way round every claim would change its mind.
const NOT_ABOVE: readonly (readonly [VariableName, VariableName])[] = [
  ["SWITCHYARD_BACKPRESSURE_LOW_DEPTH", "SWITCHYARD_BACKPRESSURE_HIGH_DEPTH"],
];

/** Says which environment variables are missing or malformed, never what they hold. */
export class ConfigError extends Error {
  override name = "ConfigError";
  constructor(readonly variables: readonly string[]) {
    super(`Cannot read the configuration: missing or malformed ${variables.join(", ")}`);
  }
}

/** Parses the named variables; throws one ConfigError that names every bad one. */
export function readConfig<K extends VariableName>(env: Env, names: readonly K[]): ConfigOf<K> {
  const values: Partial<Record<VariableName, unknown>> = {};
  const bad = new Set<string>();
  for (const name of names) {
    const parsed = VARIABLES[name].schema.safeParse(rawValue(env, name));
    if (parsed.success) values[name] = parsed.data;
    else bad.add(name);
  }
  for (const pair of BOTH_OR_NEITHER) {
    const absent = pair.filter((name) => rawValue(env, name) === undefined);
    if (absent.length === 1 && pair.some((name) => includes(names, name))) bad.add(absent[0]!);
  }
  for (const [lower, upper] of NOT_ABOVE) {
    if (Number(values[lower]) > Number(values[upper])) bad.add(lower).add(upper);
  }
  if (bad.size > 0) throw new ConfigError([...bad]);
  return values as ConfigOf<K>;
}

// An empty value is an absent one: `NAME=` in an env file sets nothing.
function rawValue(env: Env, name: VariableName): string | undefined {
  const variable: Variable<unknown> = VARIABLES[name];
  const value = env(name)?.trim();
  if (value) return value;
  const single = variable.singular && env(variable.singular)?.trim();
  return single ? JSON.stringify({ default: single }) : variable.default;
}

function includes(names: readonly VariableName[], name: VariableName): boolean {
  return names.includes(name);
}

function splitList(value: string): string[] {
  return value.split(",").map((part) => part.trim()).filter((part) => part !== "");
}

function protocolOf(value: string): string {
  return URL.canParse(value) ? new URL(value).protocol : "";
}

function parseJson(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    return undefined;
  }
}

function parseEncryptionKey(pair: string): { id: string; key: Bytes } | null {
  const [, id, encoded] = /^([A-Za-z0-9_-]{1,32}):([A-Za-z0-9+/=_-]+)$/.exec(pair) ?? [];
  if (!id || !encoded) return null;
  const key = decodeBase64(encoded);
  return key?.length === 32 ? { id, key } : null;
}

function decodeBase64(encoded: string): Bytes | null {
  try {
    const binary = atob(encoded.replaceAll("-", "+").replaceAll("_", "/"));
    return Uint8Array.from(binary, (character) => character.charCodeAt(0));
  } catch {
    return null;
  }
}
