import { strict as assert } from "node:assert";
import { seedDemo } from "./demo.ts";

interface Call {
  path: string;
  apikey: string | null;
  authorization: string | null;
  body: unknown;
}

/** An admin function that knows nobody yet, and the calls that it got. */
async function seedWith(
  answers: Record<string, () => Response>,
  times = 1,
): Promise<{ calls: Call[]; keys: string[] }> {
  const dir = await Deno.makeTempDir({ prefix: "switchyard-" });
  const calls: Call[] = [];
  const keys: string[] = [];
  try {
    for (let time = 0; time < times; time++) {
      const demo = await seedDemo({
        functionsUrl: "http://api.test/functions/v1",
        secretKey: "sb_secret_1",
        databaseUrl: "postgresql://nowhere",
        dir,
        async fetch(input, init) {
          const request = new Request(input, init);
          const path = new URL(request.url).pathname.replace("/functions/v1", "");
          const { headers } = request;
          const body = request.body && await request.json();
          const [apikey, authorization] = [headers.get("apikey"), headers.get("authorization")];
          calls.push({ path, apikey, authorization, body });
          return answers[path]?.() ?? new Response(null, { status: 404 });
        },
      });
      keys.push(demo.apiKey);
    }
    return { calls, keys };
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

const welcoming = {
  "/admin/rate-cards": () => Response.json({}, { status: 201 }),
  "/admin/tenants": () => Response.json({ id: "t1" }, { status: 201 }),
  "/admin/tenants/t1/senders": () => Response.json({ id: "s1" }, { status: 201 }),
  "/admin/tenants/t1/bot": () => Response.json({ machine: "menu" }),
  "/admin/tenants/t1/api-keys": () => Response.json({ key: "swy_1" }, { status: 201 }),
  "/wa-messages": () => Response.json({ messages: [] }),
};

Deno.test("seedDemo() makes tenant, sender, bot and key through the admin function", async () => {
  const { calls, keys } = await seedWith(welcoming);
  assert.deepEqual(calls.map(({ path }) => path), [
    "/admin/rate-cards",
    "/admin/tenants",
    "/admin/tenants/t1/senders",
    "/admin/tenants/t1/bot",
    "/admin/tenants/t1/api-keys",
  ]);
  assert(calls.every(({ apikey }) => apikey === "sb_secret_1"));
  assert.deepEqual(keys, ["swy_1"]);
});

Deno.test("seedDemo() uses the key of an earlier run again", async () => {
  const { calls, keys } = await seedWith(welcoming, 2);
  assert.deepEqual(calls.slice(6).map(({ path, authorization }) => [path, authorization]), [
    ["/wa-messages", "Bearer swy_1"],
  ]);
  assert.deepEqual(keys, ["swy_1", "swy_1"]);
});

Deno.test("seedDemo() makes another key when the kept one is refused", async () => {
  const refusing = { ...welcoming, "/wa-messages": () => new Response(null, { status: 401 }) };
  const { calls } = await seedWith(refusing, 2);
  assert.equal(calls.filter(({ path }) => path.endsWith("/api-keys")).length, 2);
});

Deno.test("seedDemo() takes a sender that is there for done", async () => {
  const known = {
    ...welcoming,
    "/admin/tenants/t1/senders": () => Response.json({}, { status: 409 }),
  };
  assert.deepEqual((await seedWith(known)).keys, ["swy_1"]);
});

Deno.test("seedDemo() fails with what the admin function said", async () => {
  const failing = {
    ...welcoming,
    "/admin/tenants": () => new Response("no database", { status: 503 }),
  };
  await assert.rejects(
    seedWith(failing),
    /Cannot create the demo tenant: .* answers 503 no database/,
  );
});
