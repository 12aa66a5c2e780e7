import { join } from "node:path";

import { cacheFolder, makeOnce, runTool } from "../../local/postgres/cache.ts";

/** The newest that run on Node 20, with the driver that both bring. */
export const PACKAGES = ["graphile-worker@0.17.3", "pg-boss@10.4.2", "pg@8.23.1"];

/** The folder with node_modules of what we are compared with, installed at the first call. */
export async function installPeers(): Promise<string> {
  const name = `bench-${PACKAGES.map((one) => one.replace(/[^\w.]/g, "-")).join("-")}`;
  const folder = join(cacheFolder(undefined), name);
  await makeOnce(folder, async (draft) => {
    await Deno.writeTextFile(join(draft, "package.json"), '{"private":true}');
    await runTool("npm", ["install", "--no-audit", "--no-fund", ...PACKAGES], draft);
  });
  return folder;
}
