import { dirname, join, resolve } from "node:path";

import { type Account, canReach } from "./account.ts";

/**
 * The folder of the data inside `dir`: itself, or, where the account cannot reach `dir`, one in
 * /var/tmp that a symbolic link in `dir` points to.
 */
export async function postgresFolder(
  dir: string,
  account: Account | undefined,
  log: (line: string) => void,
): Promise<string> {
  const inside = join(resolve(dir), "postgres");
  await Deno.mkdir(dirname(inside), { recursive: true });
  const target = await Deno.readLink(inside).catch(() => undefined);
  if (target) return await claim(target, account);
  if (!account || canReach(dirname(inside), account)) return await claim(inside, account);
  const outside = await outsideFolder(dir);
  log(`${dir} is closed to the user that runs Postgres: its data is kept in ${outside}`);
  await claim(outside, account);
  await Deno.symlink(outside, inside);
  return outside;
}

/** Deletes what Postgres keeps for `dir`, wherever it is. Postgres must not run. */
export async function removePostgresFolder(dir: string): Promise<void> {
  const inside = join(resolve(dir), "postgres");
  const target = await Deno.readLink(inside).catch(() => undefined);
  if (target?.startsWith("/var/tmp/switchyard-")) await removeTree(target);
  await removeTree(inside);
}

async function outsideFolder(dir: string): Promise<string> {
  const path = new TextEncoder().encode(await Deno.realPath(dir));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", path));
  return `/var/tmp/switchyard-${digest.toHex().slice(0, 12)}`;
}

// A folder that somebody else made first, in a place where everybody may make one, is refused.
async function claim(folder: string, account: Account | undefined): Promise<string> {
  await Deno.mkdir(folder, { mode: 0o700 }).catch((error) => {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  });
  const owner = account?.uid ?? Deno.uid();
  const { uid } = await Deno.lstat(folder);
  if (account && uid === 0) {
    await Deno.chown(folder, account.uid, account.gid);
  } else if (uid !== owner) {
    throw new Error(`${folder} belongs to another user: remove it, or choose another --dir.`);
  }
  return folder;
}

async function removeTree(path: string): Promise<void> {
  await Deno.remove(path, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}
