import { dirname, join } from "node:path";

import { type Account, canReach } from "./account.ts";

/** A folder of this user's, readable by `account`, that outlives every data folder. */
export function cacheFolder(account: Account | undefined): string {
  const home = Deno.env.get("HOME");
  // Root's home is closed to the account that Postgres runs under; /var/cache is root's own.
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
    // Whatever the umask was; and a folder that is ours may still be on a read-only disk.
    Deno.chmodSync(folder, 0o755);
    Deno.removeSync(Deno.makeTempDirSync({ dir: folder }));
    return true;
  } catch {
    return false;
  }
}

/** Builds a folder beside its final place and moves it there, so that it is whole or absent. */
export async function makeOnce(
  folder: string,
  build: (draft: string) => Promise<void>,
): Promise<void> {
  if (await exists(folder)) return;
  const draft = await Deno.makeTempDir({ dir: dirname(folder), prefix: "draft-" });
  try {
    await build(draft);
    await runTool("chmod", ["-R", "u+rwX,go=rX", draft]);
    await Deno.rename(draft, folder);
  } catch (error) {
    if (!await exists(folder)) throw error;
  } finally {
    await Deno.remove(draft, { recursive: true }).catch(() => {});
  }
}

/** Runs a program to its end; throws what it said when it fails, in the words of `explain`. */
export async function runTool(
  command: string,
  args: string[],
  cwd?: string,
  explain = (said: string) => `Cannot run ${command} ${args.join(" ")}: ${said}`,
): Promise<void> {
  const process = new Deno.Command(command, { args, ...(cwd && { cwd }) });
  const { success, stderr } = await process.output().catch((cause) => {
    throw new Error(`${command} could not be started: install it and try again.`, { cause });
  });
  if (!success) {
    throw new Error(explain(new TextDecoder().decode(stderr).trim()));
  }
}

async function exists(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}
