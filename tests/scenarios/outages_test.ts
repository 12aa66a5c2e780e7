import { strict as assert } from "node:assert";
import { createHmac } from "node:crypto";

import { eventually } from "../support/eventually.ts";
import { findFreePorts } from "../support/free_ports.ts";
import { connectPlatform, type Platform } from "../support/platform.ts";
import { openPlatformDatabase } from "../support/platform_database.ts";
import { startPlatform } from "../support/start_platform.ts";

// What breaks a platform breaks one of its own.
async function withPlatform(
  use: (platform: Platform, dir: string) => Promise<void>,
  args: string[] = [],
): Promise<void> {
  const running = await startPlatform({ args });
  try {
    await use(connectPlatform(running.envFile), running.dir);
  } catch (error) {
    throw new Error(`On a platform that printed:\n${running.output()}`, { cause: error });
  } finally {
    await running.stop();
  }
}

function aWebhook(
  platform: Platform,
  tenant: { phoneNumberId: string; businessAccountId: string },
) {
  const id = `wamid.${crypto.randomUUID()}`;
  const statuses = [{ id, status: "sent", timestamp: "1763812800", recipient_id: "15550200001" }];
  const metadata = { phone_number_id: tenant.phoneNumberId, display_phone_number: "1" };
  const value = { messaging_product: "whatsapp", metadata, statuses };
  const body = JSON.stringify({
    object: "whatsapp_business_account",
    entry: [{ id: tenant.businessAccountId, changes: [{ field: "messages", value }] }],
  });
  const digest = createHmac("sha256", platform.env.WHATSAPP_APP_SECRET!).update(body).digest("hex");
  return { id, body, headers: { "x-hub-signature-256": `sha256=${digest}` } };
}

async function readServerPid(dir: string): Promise<number> {
  const text = await Deno.readTextFile(`${dir}/postgres/cluster/postmaster.pid`);
  return Number(text.split("\n")[0]);
}

async function processIds(dir: string, name: string): Promise<number[]> {
  const known = JSON.parse(await Deno.readTextFile(`${dir}/processes.json`)) as {
    name: string;
    pid: number;
  }[];
  return known.filter((it) => it.name === name).map(({ pid }) => pid);
}

Deno.test("Postgres dies while webhooks arrive: what was answered 200 is there, the rest got 503", () =>
  withPlatform(async (platform, dir) => {
    const tenant = await platform.createTenant();
    const answers = new Map<string, number>();
    let going = true;
    const sender = async () => {
      while (going) {
        const { id, body, headers } = aWebhook(platform, tenant);
        const options = { caller: { kind: "nobody" } as const, body, headers };
        answers.set(id, (await platform.api("/wa-webhook", options)).status);
      }
    };
    const seen = (status: number) => [...answers.values()].filter((it) => it === status).length;
    // Awaited below; until then a failure belongs to the step that sees too few answers.
    const sending = Promise.allSettled([sender(), sender(), sender(), sender()]);
    await eventually(() => Promise.resolve(seen(200)), (count) => count > 20);
    Deno.kill(await readServerPid(dir), "SIGKILL");
    await eventually(() => Promise.resolve(seen(503)), (count) => count > 0);
    const before = seen(200);
    await eventually(() => Promise.resolve(seen(200)), (count) => count > before + 20, {
      timeoutMs: 60_000,
    });
    going = false;
    assert.ok((await sending).every(({ status }) => status === "fulfilled"));

    assert.deepEqual([...new Set(answers.values())].sort(), [200, 503]);
    await using database = openPlatformDatabase(platform);
    const stored = await database.sql<{ id: string }[]>`
      select payload -> 'status' ->> 'id' as id from switchyard.inbound_events`;
    const ids = new Set(stored.map(({ id }) => id));
    const lost = [...answers].filter(([id, status]) => status === 200 && !ids.has(id));
    assert.deepEqual(lost, []);
  }));

Deno.test("a Graph API that refuses connections loses no message: they go when it is back", async () => {
  const port = findFreePorts(1);
  await withPlatform(async (platform) => {
    const tenant = await platform.createTenant();
    const { id } = (await tenant.send()).json<{ id: string }>();
    const read = async () =>
      (await tenant.api(`/wa-messages/${id}`)).json<
        { status: string; attempts: { outcome?: string }[] }
      >();
    await eventually(read, ({ attempts }) => attempts.some(({ outcome }) => outcome === "retry"));
    assert.equal((await read()).status, "queued");

    const received: unknown[] = [];
    await using _graph = Deno.serve(
      { port, hostname: "127.0.0.1", onListen: () => {} },
      async (request) => {
        received.push(await request.json());
        return Response.json({ messages: [{ id: "wamid.back" }], contacts: [] });
      },
    );
    await eventually(read, ({ status }) => status === "sent", { timeoutMs: 60_000 });
    assert.equal(received.length, 1);
  }, [`--graph-url=http://127.0.0.1:${port}`]);
});

Deno.test("a function that is killed comes back by itself", () =>
  withPlatform(async (platform, dir) => {
    const tenant = await platform.createTenant();
    const [pid] = await processIds(dir, "wa-messages");
    Deno.kill(pid!, "SIGKILL");
    const answer = await eventually(() => tenant.send(), ({ status }) => status === 202);
    assert.equal(answer.status, 202);
  }));
