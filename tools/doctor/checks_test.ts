import { strict as assert } from "node:assert";
import { listChecks, type Project } from "./checks.ts";

const healthyRows: [about: RegExp, rows: Record<string, unknown>[]][] = [
  [/select 1/, [{}]],
  [/pg_extension/, [
    { extname: "pgmq", extversion: "1.11.1" },
    { extname: "pg_cron", extversion: "1.6.4" },
    { extname: "pg_net", extversion: "0.20.3" },
    { extname: "supabase_vault", extversion: "0.3.1" },
  ]],
  [/to_regclass/, [{ name: "supabase_migrations.schema_migrations" }]],
  [/select version/, [{ version: "1" }, { version: "2" }]],
  [/vault/, [{ name: "switchyard_project_url" }, { name: "switchyard_secret_key" }]],
  [/ticked_at/, [{ age_seconds: 4.2 }]],
];

function aProject(
  rows: [RegExp, Record<string, unknown>[]][] = [],
  answers: [RegExp, Response][] = [],
): Project {
  return {
    url: "https://ref.supabase.co",
    secretKey: "sb_secret_x",
    functions: ["wa-sender"],
    migrations: ["1", "2"],
    query: (sql) =>
      Promise.resolve([...rows, ...healthyRows].find(([about]) => about.test(sql))![1]),
    fetch: (url) => Promise.resolve(answers.find(([about]) => about.test(url))?.[1] ?? answer(url)),
  };
}

function answer(url: string): Response {
  const status = url.includes("/rest/v1/tenants") ? 406 : url.includes("wa-sender") ? 401 : 200;
  return new Response("{}", { status, headers: { "x-request-id": "1" } });
}

async function advice(project: Project): Promise<string[]> {
  const found: string[] = [];
  for (const { title, examine } of listChecks(project)) {
    const says = await examine(project);
    if (says !== null) found.push(`${title}: ${says}`);
  }
  return found;
}

Deno.test("doctor on a healthy project has nothing to say", async () => {
  assert.deepEqual(await advice(aProject()), []);
});

const ailments: [title: string, project: Project, says: RegExp][] = [
  [
    "an extension that is missing",
    aProject([[/pg_extension/, []]]),
    /pgmq is at least 1.5.1: Apply the migrations/,
  ],
  [
    "an extension that is old",
    aProject([[/pg_extension/, [{ extname: "pgmq", extversion: "1.4.9" }]]]),
    /pgmq .* It is 1.4.9: upgrade/,
  ],
  ["no migrations", aProject([[/to_regclass/, [{ name: null }]]]), /None is: run supabase db push/],
  [
    "a migration that is missing",
    aProject([[/select version/, [{ version: "1" }]]]),
    /1 of 2 are not, from 2/,
  ],
  [
    "a Vault without the key",
    aProject([[/vault/, [{ name: "switchyard_project_url" }]]]),
    /Add switchyard_secret_key/,
  ],
  [
    "a Vault with another project's address",
    aProject([[/vault/, [
      { name: "switchyard_project_url", differs: true },
      { name: "switchyard_secret_key" },
    ]]]),
    /is not SUPABASE_URL/,
  ],
  ["cron that never ran", aProject([[/ticked_at/, [{ age_seconds: null }]]]), /Never seen/],
  ["cron that stopped", aProject([[/ticked_at/, [{ age_seconds: 300 }]]]), /Last seen 300 s ago/],
  [
    "a function that is not deployed",
    aProject([], [[/wa-sender/, new Response("", { status: 404 })]]),
    /wa-sender answers: It is not deployed/,
  ],
  [
    "a function that does not start",
    aProject([], [[/wa-sender/, new Response("", { status: 503 })]]),
    /wa-sender answers: It answers 503/,
  ],
  [
    "a schema that is not exposed",
    aProject([], [[/rpc/, new Response("", { status: 406 })]]),
    /add switchyard_api to the exposed schemas/,
  ],
  [
    "tables that are exposed",
    aProject([], [[/tenants/, new Response("[]")]]),
    /Remove switchyard from the exposed/,
  ],
  [
    "a key that is refused",
    aProject([], [[/detailed/, new Response("", { status: 401 })]]),
    /refuse SUPABASE_SECRET_KEY/,
  ],
];

for (const [title, project, says] of ailments) {
  Deno.test(`doctor on ${title} says what to do`, async () => {
    const found = await advice(project);
    assert.match(found.join("\n"), says);
  });
}
