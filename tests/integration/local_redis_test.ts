import { strict as assert } from "node:assert";

import { startRedis } from "../../local/redis/start.ts";

async function withFolder(use: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir();
  try {
    await use(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

Deno.test("two of them in different folders hold different keys", async () => {
  await withFolder(async (dir) => {
    const [one, two] = [
      await startRedis({ dir: `${dir}/one` }),
      await startRedis({ dir: `${dir}/two` }),
    ];
    await one.command(["SET", "k", "1"]);
    assert.equal(await two.command(["GET", "k"]), null);
    await Promise.all([one.stop(), two.stop()]);
  });
});

Deno.test("a folder with a long path is no hindrance", async () => {
  await withFolder(async (dir) => {
    const redis = await startRedis({ dir: `${dir}/${"long".repeat(30)}` });
    assert.equal(await redis.command(["PING"]), "PONG");
    await redis.stop();
  });
});

Deno.test("nothing is kept from one start to the next", async () => {
  await withFolder(async (dir) => {
    const first = await startRedis({ dir });
    await first.command(["SET", "k", "1"]);
    await first.stop();
    const second = await startRedis({ dir });
    assert.equal(await second.command(["GET", "k"]), null);
    await second.stop();
  });
});

Deno.test("a REDIS_URL that nobody answers at is refused by that name", async () => {
  const redisUrl = "redis://127.0.0.1:1";
  await assert.rejects(startRedis({ redisUrl, dir: "unused" }), /REDIS_URL/);
});
