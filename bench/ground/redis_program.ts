/** A Redis behind Upstash's REST API, in a process of its own. Its argument is the token. */
import { startRedis } from "../../local/redis/start.ts";
import { startUpstashRest } from "../../local/redis/upstash_rest.ts";

const [token] = Deno.args;
const dir = await Deno.makeTempDir({ prefix: "switchyard-bench-redis-" });
const redis = await startRedis({ dir });
const { url } = await startUpstashRest({ redis, token: token!, port: 0 });
// deno-lint-ignore no-console -- whoever started this program reads where it listens
console.log(url);
Deno.addSignalListener("SIGTERM", async () => {
  await redis.stop();
  await Deno.remove(dir, { recursive: true });
  Deno.exit(0);
});
