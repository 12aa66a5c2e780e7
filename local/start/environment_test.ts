import { strict as assert } from "node:assert";
import {
  formatEnvFile,
  functionEnvironment,
  type ProjectKeys,
  publishedEnvironment,
  readOrCreateKeys,
} from "./environment.ts";

const addresses = {
  apiUrl: "http://127.0.0.1:54321",
  databaseUrl: "postgresql://postgres:postgres@127.0.0.1:54322/postgres",
  upstashUrl: "http://127.0.0.1:40001",
  graphUrl: "http://127.0.0.1:54324",
  consoleUrl: "http://127.0.0.1:54323",
  simulatorUrl: "http://127.0.0.1:54324",
};

async function inFolder(test: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "switchyard-" });
  try {
    await test(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

function countingBytes(): (length: number) => Uint8Array<ArrayBuffer> {
  let next = 0;
  return (length) => Uint8Array.from({ length }, () => next++);
}

async function someKeys(): Promise<ProjectKeys> {
  let keys: ProjectKeys | undefined;
  await inFolder(async (dir) => void (keys = await readOrCreateKeys(dir, countingBytes())));
  assert(keys);
  return keys;
}

Deno.test("readOrCreateKeys() gives the same keys at the second call", async () => {
  await inFolder(async (dir) => {
    const bytes = countingBytes();
    const first = await readOrCreateKeys(dir, bytes);
    assert.deepEqual(await readOrCreateKeys(dir, bytes), first);
  });
});

Deno.test("readOrCreateKeys() makes no value twice", async () => {
  const values = Object.values(await someKeys());
  assert.equal(new Set(values).size, values.length);
});

Deno.test("readOrCreateKeys() keeps them where only the owner can read", async () => {
  await inFolder(async (dir) => {
    await readOrCreateKeys(dir, countingBytes());
    const { mode } = await Deno.stat(`${dir}/keys.json`);
    assert.equal((mode ?? 0) & 0o777, 0o600);
  });
});

Deno.test("readOrCreateKeys() refuses a damaged file and names it", async () => {
  await inFolder(async (dir) => {
    await Deno.writeTextFile(`${dir}/keys.json`, `{"secret_key": "sb_secret_`);
    await assert.rejects(readOrCreateKeys(dir, countingBytes()), /keys\.json is damaged/);
  });
});

Deno.test("publishedEnvironment() has the contract's eleven names", async () => {
  const names = Object.keys(publishedEnvironment(await someKeys(), addresses));
  assert.deepEqual(names, [
    "SUPABASE_URL",
    "SUPABASE_DB_URL",
    "SUPABASE_PUBLISHABLE_KEY",
    "SUPABASE_SECRET_KEY",
    "UPSTASH_REDIS_REST_URL",
    "UPSTASH_REDIS_REST_TOKEN",
    "WHATSAPP_APP_SECRET",
    "WHATSAPP_VERIFY_TOKEN",
    "WHATSAPP_GRAPH_URL",
    "CONSOLE_URL",
    "SIMULATOR_URL",
  ]);
});

Deno.test("functionEnvironment() names the keys as a hosted project does", async () => {
  const keys = await someKeys();
  const environment = functionEnvironment(keys, addresses);
  assert.deepEqual(JSON.parse(environment.SUPABASE_SECRET_KEYS ?? ""), {
    default: keys.secret_key,
  });
  assert.equal(environment.SUPABASE_SECRET_KEY, undefined);
});

Deno.test("formatEnvFile() writes what a shell reads back unchanged", async () => {
  const values = publishedEnvironment(await someKeys(), addresses);
  const script = `${formatEnvFile(values)}printf %s "$SUPABASE_DB_URL $WHATSAPP_APP_SECRET"`;
  const { stdout } = await new Deno.Command("sh", { args: ["-c", script] }).output();
  const expected = `${values.SUPABASE_DB_URL} ${values.WHATSAPP_APP_SECRET}`;
  assert.equal(new TextDecoder().decode(stdout), expected);
});

for (const value of ["two words", "a$b", "`id`", "a;b", "a'b", "a&b=c", "a\nB=c"]) {
  Deno.test(`formatEnvFile() refuses ${JSON.stringify(value)}`, () => {
    assert.throws(() => formatEnvFile({ A: value }), /Cannot write A/);
  });
}
