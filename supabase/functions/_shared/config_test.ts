import { strict as assert } from "node:assert";
import { ConfigError, readConfig, VARIABLES } from "./config.ts";
import type { VariableName } from "./config.ts";

const key32 = btoa("k".repeat(32));

function read<K extends VariableName>(env: Record<string, string>, ...names: K[]) {
  return readConfig((name) => env[name], names);
}

Deno.test("readConfig reads named keys from the dictionary", () => {
  const env = { SUPABASE_SECRET_KEYS: `{"default":"a","cron":"b"}`, SUPABASE_SECRET_KEY: "c" };
  assert.deepEqual(read(env, "SUPABASE_SECRET_KEYS").SUPABASE_SECRET_KEYS, {
    default: "a",
    cron: "b",
  });
});

Deno.test("readConfig reads the singular key where there is no dictionary", () => {
  const config = read({ SUPABASE_PUBLISHABLE_KEY: "p" }, "SUPABASE_PUBLISHABLE_KEYS");
  assert.deepEqual(config.SUPABASE_PUBLISHABLE_KEYS, { default: "p" });
});

Deno.test("readConfig splits the app secrets into current and previous", () => {
  const config = read({ WHATSAPP_APP_SECRET: "new, old" }, "WHATSAPP_APP_SECRET");
  assert.deepEqual(config.WHATSAPP_APP_SECRET, ["new", "old"]);
});

Deno.test("readConfig falls back to the defaults", () => {
  const config = read({ WHATSAPP_GRAPH_URL: "" }, "WHATSAPP_GRAPH_URL", "WHATSAPP_GRAPH_VERSION");
  assert.deepEqual(config, {
    WHATSAPP_GRAPH_URL: "https://graph.facebook.com",
    WHATSAPP_GRAPH_VERSION: "v25.0",
  });
});

Deno.test("readConfig drops the slash at the end of an address", () => {
  const config = read({ SUPABASE_URL: "http://127.0.0.1:54321/" }, "SUPABASE_URL");
  assert.equal(config.SUPABASE_URL, "http://127.0.0.1:54321");
});

Deno.test("readConfig decodes encryption keys in order", () => {
  const env = { SWITCHYARD_ENCRYPTION_KEYS: `b:${key32},a:${key32}` };
  const keys = read(env, "SWITCHYARD_ENCRYPTION_KEYS").SWITCHYARD_ENCRYPTION_KEYS;
  assert.deepEqual(keys?.map(({ id, key }) => [id, key.length]), [["b", 32], ["a", 32]]);
});

Deno.test("readConfig parses a JSON Web Key Set", () => {
  const keys = { keys: [{ kty: "oct", kid: "local", k: "x" }] };
  const config = read({ SUPABASE_JWKS: JSON.stringify(keys) }, "SUPABASE_JWKS");
  assert.deepEqual(config.SUPABASE_JWKS, keys);
});

Deno.test("readConfig reads numbers within their bounds", () => {
  const config = read(
    { SWITCHYARD_CREDENTIAL_CACHE_SIZE: " 5000 " },
    "SWITCHYARD_CREDENTIAL_CACHE_SIZE",
    "SWITCHYARD_CREDENTIAL_CACHE_TTL_SECONDS",
  );
  assert.deepEqual(config, {
    SWITCHYARD_CREDENTIAL_CACHE_SIZE: 5_000,
    SWITCHYARD_CREDENTIAL_CACHE_TTL_SECONDS: 900,
  });
});

Deno.test("readConfig leaves optional variables out", () => {
  const config = read({}, "UPSTASH_REDIS_REST_URL", "WHATSAPP_PHONE_NUMBER_ID", "SUPABASE_JWKS");
  assert.deepEqual(Object.values(config), [undefined, undefined, undefined]);
});

const malformed: [name: VariableName, value: string][] = [
  ["SUPABASE_URL", "localhost:54321"],
  ["SUPABASE_URL", "ftp://x"],
  ["SUPABASE_SECRET_KEYS", "sb_secret_x"],
  ["SUPABASE_SECRET_KEYS", "{}"],
  ["SUPABASE_SECRET_KEYS", `["a"]`],
  ["SUPABASE_SECRET_KEYS", `{"default":""}`],
  ["SUPABASE_JWKS", `{"keys":"x"}`],
  ["WHATSAPP_APP_SECRET", ","],
  ["WHATSAPP_APP_SECRET", "a,b,c"],
  ["WHATSAPP_GRAPH_URL", "graph"],
  ["WHATSAPP_GRAPH_VERSION", "25"],
  ["WHATSAPP_PHONE_NUMBER_ID", "+1555"],
  ["SWITCHYARD_ENCRYPTION_KEYS", `a:${btoa("short")}`],
  ["SWITCHYARD_ENCRYPTION_KEYS", key32],
  ["SWITCHYARD_ENCRYPTION_KEYS", "a:%%%"],
  ["SWITCHYARD_CREDENTIAL_CACHE_SIZE", "0"],
  ["SWITCHYARD_CREDENTIAL_CACHE_SIZE", "100001"],
  ["SWITCHYARD_CREDENTIAL_CACHE_SIZE", "1e3"],
  ["SWITCHYARD_CREDENTIAL_CACHE_TTL_SECONDS", "-1"],
  ["SWITCHYARD_CREDENTIAL_CACHE_TTL_SECONDS", "15m"],
  ["SWITCHYARD_CREDENTIAL_PRELOAD", "1001"],
  ["SWITCHYARD_BACKPRESSURE_HIGH_DEPTH", "10000"],
  ["SWITCHYARD_BACKPRESSURE_LOW_DEPTH", "0.5"],
  ["SWITCHYARD_ENCRYPTION_KEYS", `a:${key32},b:${key32},a:${key32}`],
];

for (const [name, value] of malformed) {
  Deno.test(`readConfig refuses ${name} of ${JSON.stringify(value)} without repeating it`, () => {
    assert.throws(() => read({ [name]: value }, name), (error: unknown) => {
      assert.ok(error instanceof ConfigError);
      assert.deepEqual(error.variables, [name]);
      return error.message === `Cannot read the configuration: missing or malformed ${name}`;
    });
  });
}

Deno.test("readConfig names every bad variable at once", () => {
  const names = ["SUPABASE_URL", "WHATSAPP_APP_SECRET", "WHATSAPP_VERIFY_TOKEN"] as const;
  assert.throws(
    () => read({ WHATSAPP_APP_SECRET: "," }, ...names),
    (error: unknown) => error instanceof ConfigError && error.variables.length === 3,
  );
});

Deno.test("readConfig refuses half a Redis address and names the other half", () => {
  const env = { UPSTASH_REDIS_REST_URL: "https://x.upstash.io" };
  assert.throws(
    () => read(env, "UPSTASH_REDIS_REST_URL"),
    (error: unknown) =>
      error instanceof ConfigError && error.variables[0] === "UPSTASH_REDIS_REST_TOKEN",
  );
});

Deno.test("readConfig refuses a low depth above the high one and names both", () => {
  const names = [
    "SWITCHYARD_BACKPRESSURE_LOW_DEPTH",
    "SWITCHYARD_BACKPRESSURE_HIGH_DEPTH",
  ] as const;
  assert.throws(
    () => read({ SWITCHYARD_BACKPRESSURE_HIGH_DEPTH: "99" }, ...names),
    (error: unknown) =>
      error instanceof ConfigError && error.variables.toString() === names.toString(),
  );
  const even = { SWITCHYARD_BACKPRESSURE_HIGH_DEPTH: "100" };
  assert.equal(read(even, ...names).SWITCHYARD_BACKPRESSURE_LOW_DEPTH, 100);
});

Deno.test(".env.example lists every variable with its default and its line", async () => {
  const example = await Deno.readTextFile(new URL("../.env.example", import.meta.url));
  const listed = [...example.matchAll(/^#? ?([A-Z_]+)=(.*)$/gm)];
  assert.deepEqual(
    listed.map(([, name, value]) => [name, value]),
    Object.entries(VARIABLES).map((
      [name, variable],
    ) => [name, "default" in variable ? variable.default : ""]),
  );
  for (const { about } of Object.values(VARIABLES)) assert.ok(example.includes(`# ${about}\n`));
});
