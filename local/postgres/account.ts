import { dirname } from "node:path";

export interface Account {
  uid: number;
  gid: number;
}

/**
 * Who Postgres runs as when this process is root, which Postgres refuses: the user behind sudo,
 * else nobody. Undefined for everyone else.
 */
export function postgresAccount(
  uid = Deno.uid(),
  env: (name: string) => string | undefined = (name) => Deno.env.get(name),
): Account | undefined {
  if (uid !== 0) return undefined;
  const [sudoUid, sudoGid] = [Number(env("SUDO_UID")), Number(env("SUDO_GID"))];
  return sudoUid > 0 && sudoGid > 0 ? { uid: sudoUid, gid: sudoGid } : nobody();
}

function nobody(): Account {
  const line = Deno.readTextFileSync("/etc/passwd").split("\n").find((l) =>
    l.startsWith("nobody:")
  );
  const [uid, gid] = (line ?? "nobody:x:65534:65534").split(":").slice(2, 4).map((n) =>
    Number(n) >>> 0
  );
  return { uid: uid ?? 65534, gid: gid ?? 65534 };
}

/** Whether the account may enter the folder, judging by the mode bits of it and its ancestors. */
export function canReach(folder: string, account: Account): boolean {
  for (let path = Deno.realPathSync(folder);; path = dirname(path)) {
    const { mode, uid, gid } = Deno.statSync(path);
    const bit = uid === account.uid ? 0o100 : gid === account.gid ? 0o010 : 0o001;
    if (!((mode ?? 0) & bit)) return false;
    if (path === dirname(path)) return true;
  }
}
