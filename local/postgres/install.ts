import { join } from "node:path";

import type { Account } from "./account.ts";
import { cacheFolder, makeOnce } from "./cache.ts";
import { downloadPostgres, postgresName } from "./download.ts";

const STAND_INS = new URL("../extensions/", import.meta.url);

export interface PostgresInstall {
  /** Folder of initdb and postgres. */
  bin: string;
}

/**
 * Gives a Postgres with pgmq and the stand-in extensions of this checkout, downloading it from npm
 * once per user and version. `account` is who will run it.
 */
export async function installPostgres(options: {
  account: Account | undefined;
  log: (line: string) => void;
}): Promise<PostgresInstall> {
  const server = join(cacheFolder(options.account), postgresName());
  await makeOnce(server, (draft) => downloadPostgres(draft, options.log));
  const standIns = await readStandIns();
  const complete = `${server}-${await fingerprint(standIns)}`;
  await makeOnce(complete, (draft) => addStandIns(draft, server, standIns));
  return { bin: join(complete, "bin") };
}

/** Changes whenever what a new cluster or its extensions are made of does. */
export async function groundFingerprint(): Promise<string> {
  const bytes = await Deno.readFile(new URL("./roles.sql", import.meta.url));
  return await fingerprint([{ name: postgresName(), bytes }, ...await readStandIns()]);
}

type StandIn = { name: string; bytes: Uint8Array<ArrayBuffer> };

async function readStandIns(): Promise<StandIn[]> {
  const files: StandIn[] = [];
  for await (const extension of Deno.readDir(STAND_INS)) {
    const folder = new URL(`${extension.name}/`, STAND_INS);
    for await (const { name } of Deno.readDir(folder)) {
      files.push({ name, bytes: await Deno.readFile(new URL(name, folder)) });
    }
  }
  return files.sort((a, b) => a.name < b.name ? -1 : 1);
}

async function fingerprint(files: StandIn[]): Promise<string> {
  const all = await new Blob(files.flatMap(({ name, bytes }) => [name, bytes])).arrayBuffer();
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", all));
  return digest.toHex().slice(0, 12);
}

// Postgres finds its share folder from the place of its binary, so each set of stand-ins has a
// light tree of its own: binaries as hard links, the rest as symbolic ones.
async function addStandIns(draft: string, server: string, standIns: StandIn[]): Promise<void> {
  const extensions = "share/postgresql/extension";
  await Deno.mkdir(join(draft, "bin"));
  await Deno.mkdir(join(draft, extensions), { recursive: true });
  await Deno.symlink(join(server, "lib"), join(draft, "lib"));
  for await (const { name } of Deno.readDir(join(server, "bin"))) {
    await Deno.link(join(server, "bin", name), join(draft, "bin", name));
  }
  for (const folder of ["share/postgresql", extensions]) {
    for await (const { name } of Deno.readDir(join(server, folder))) {
      if (name === "extension") continue;
      await Deno.symlink(join(server, folder, name), join(draft, folder, name));
    }
  }
  for (const { name, bytes } of standIns) {
    await Deno.writeFile(join(draft, extensions, name), bytes);
  }
}
