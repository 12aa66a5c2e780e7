import { join } from "node:path";

import { type GuardedProcess, spawnGuarded } from "../guarded_process.ts";
import { type Account, postgresAccount } from "./account.ts";
import { postgresFolder } from "./folder.ts";
import { installPostgres } from "./install.ts";
import { clearLeftover } from "./leftover.ts";

export interface Postgres {
  /** Connects as "postgres", which has a hosted project's rights and is not a superuser. */
  readonly url: string;
  readonly port: number;
  /** Ends every session, writes everything to disk and keeps the data. */
  stop(): Promise<void>;
}

// About those of a small hosted instance.
const SETTINGS = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  max_connections: 100,
  shared_buffers: "224MB",
  effective_cache_size: "512MB",
  maintenance_work_mem: "64MB",
  work_mem: "4MB",
  max_wal_size: "1GB",
  wal_level: "logical",
  fsync: "on",
  synchronous_commit: "on",
  random_page_cost: "1.1",
  jit: "off",
  max_parallel_workers_per_gather: 1,
  shared_preload_libraries: "pg_stat_statements",
  log_min_messages: "warning",
  log_timezone: "UTC",
  timezone: "UTC",
};

const BOOTSTRAP_SETTINGS = [
  "exit_on_error=on",
  "shared_preload_libraries=pg_stat_statements",
  "wal_level=logical",
  // The passwords in roles.sql are public: hashing them often would only slow every connection.
  "scram_iterations=1",
];

/**
 * Runs Postgres 17 with pgmq and the stand-in extensions on 127.0.0.1, on data kept in `dir`, and
 * resolves when it answers. Port 0 takes a free one.
 */
export async function startPostgres(options: {
  dir: string;
  port: number;
  log: (line: string) => void;
  /** Of postgresql.conf, over the usual ones. */
  settings?: Record<string, string>;
}): Promise<Postgres> {
  const account = postgresAccount();
  const { bin } = await installPostgres({ account, log: options.log });
  const folder = await postgresFolder(options.dir, account, options.log);
  const cluster = join(folder, "cluster");
  if (!await exists(cluster)) await createCluster(bin, cluster, account);
  await clearLeftover(cluster);
  const port = options.port || freePort();
  const settings = { ...SETTINGS, ...options.settings, port };
  const start = () => startServer({ bin, cluster, settings, account, log: options.log });
  const restart = async () => {
    await clearLeftover(cluster);
    return await start();
  };
  const server = superviseServer(await start(), restart, options.log);
  return {
    url: `postgresql://postgres:postgres@127.0.0.1:${port}/postgres`,
    port,
    stop: server.stop,
  };
}

const RESTART_AFTER_MS = 500;

// A hosted Postgres that dies comes back by itself, and so does this one.
function superviseServer(
  first: GuardedProcess,
  restart: () => Promise<GuardedProcess>,
  log: (line: string) => void,
): { stop(): Promise<void> } {
  let server = first;
  let stopping = false;
  const supervising = (async () => {
    while (!stopping) {
      await server.exited;
      if (stopping) return;
      log("Postgres ended by itself and is started again");
      await new Promise((resolve) => setTimeout(resolve, RESTART_AFTER_MS));
      if (stopping) return;
      await restart().then((started) => server = started, (error) => log(String(error)));
      if (stopping) await server.stop("SIGINT", 20_000);
    }
  })();
  return {
    async stop() {
      stopping = true;
      await server.stop("SIGINT", 20_000);
      await supervising;
    },
  };
}

// Made beside its place and then moved: a cluster whose making was cut short is never started.
async function createCluster(bin: string, cluster: string, account: Account | undefined) {
  const draft = `${cluster}.new`;
  if (await exists(draft)) await Deno.remove(draft, { recursive: true });
  await runToEnd(join(bin, "initdb"), account, [
    ...["-D", draft, "-U", "supabase_admin", "-A", "trust", "-E", "UTF8", "--no-sync"],
    ...["--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"],
  ]);
  const rights = "host all all 127.0.0.1/32 scram-sha-256\n";
  await Deno.writeTextFile(join(draft, "pg_hba.conf"), rights);
  const roles = await Deno.readTextFile(new URL("./roles.sql", import.meta.url));
  const settings = BOOTSTRAP_SETTINGS.flatMap((setting) => ["-c", setting]);
  const args = ["--single", "-j", "-D", draft, ...settings, "template1"];
  await runToEnd(join(bin, "postgres"), account, args, roles);
  await Deno.rename(draft, cluster);
}

async function startServer(options: {
  bin: string;
  cluster: string;
  settings: { port: number } & Record<string, string | number>;
  account: Account | undefined;
  log: (line: string) => void;
}): Promise<GuardedProcess> {
  const settings = Object.entries(options.settings)
    .flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const said: string[] = [];
  const ready = Promise.withResolvers<true>();
  const server = spawnGuarded({
    command: join(options.bin, "postgres"),
    args: ["-D", options.cluster, ...settings],
    cwd: options.bin,
    account: options.account,
    signalWhenOrphaned: "SIGINT",
    onLine(line) {
      options.log(line);
      if (said.length < 20) said.push(line);
      if (line.includes("database system is ready to accept connections")) ready.resolve(true);
    },
  });
  if (await Promise.race([ready.promise, server.exited]) === true) return server;
  throw new Error(explain(said.join("\n"), options.settings.port));
}

function explain(said: string, port: number): string {
  if (/Address already in use/i.test(said)) {
    return `Port ${port} is taken: stop what listens there, or choose other ports with --port.`;
  }
  return `Postgres did not start: ${said}`;
}

async function runToEnd(
  command: string,
  account: Account | undefined,
  args: string[],
  input?: string,
): Promise<void> {
  const child = new Deno.Command(command, {
    args,
    ...account,
    cwd: "/",
    stdin: input === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const output = child.output();
  if (input !== undefined) await new Blob([input]).stream().pipeTo(child.stdin);
  const { success, stderr } = await output;
  const said = new TextDecoder().decode(stderr);
  if (success) return;
  if (/could not look up effective user ID/.test(said)) {
    throw new Error(
      `User ${Deno.uid()} is not in /etc/passwd, where Postgres looks for it: run as one that is.`,
    );
  }
  throw new Error(`Cannot create the database with ${command}: ${said}`);
}

function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  return port;
}

async function exists(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}
