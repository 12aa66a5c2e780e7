import { strict as assert } from "node:assert";

import type { CallRpc } from "../database.ts";
import { createLog } from "../telemetry/log.ts";
import type { SenderVersion } from "./credentials.ts";
import { createPreload } from "./preload.ts";

const ROW = {
  sender_id: "s1",
  phone_number_id: "111",
  credential_version: 3,
  cache_generation: 7,
};

function setup(options: { most?: number; rows?: unknown[]; error?: Error } = {}) {
  const asked: unknown[] = [];
  const preloaded: { senders: readonly SenderVersion[]; generation: number }[] = [];
  const lines: string[] = [];
  const call = ((name: string, args: unknown) => {
    asked.push([name, args]);
    return options.error ? Promise.reject(options.error) : Promise.resolve(options.rows ?? [ROW]);
  }) as unknown as CallRpc;
  const preload = createPreload({
    call,
    credentials: {
      preload: (senders, generation) =>
        Promise.resolve(void preloaded.push({ senders, generation })),
    },
    log: createLog({ write: (line) => lines.push(line), now: () => 0, fields: {} }),
    most: options.most ?? 100,
  });
  return { preload, asked, preloaded, lines };
}

Deno.test("preload asks once for whom messages are due next, whatever comes at once", async () => {
  const { preload, asked, preloaded } = setup({ most: 20 });
  await Promise.all([preload(), preload()]);
  await preload();
  assert.deepEqual(asked, [["senders_to_preload", { most: 20 }]]);
  const senders = [{ senderId: "s1", phoneNumberId: "111", credentialVersion: 3 }];
  assert.deepEqual(preloaded, [{ senders, generation: 7 }]);
});

Deno.test("preload of no tokens asks nobody", async () => {
  const { preload, asked } = setup({ most: 0 });
  await preload();
  assert.deepEqual(asked, []);
});

Deno.test("preload without anything due reads no token", async () => {
  const { preload, preloaded } = setup({ rows: [] });
  await preload();
  assert.deepEqual(preloaded, []);
});

Deno.test("preload that the database refuses is a line in the log and no failure", async () => {
  const { preload, lines } = setup({ error: new Error("away") });
  await preload();
  assert.equal(JSON.parse(lines[0]!).event, "credentials.preload_failed");
});
