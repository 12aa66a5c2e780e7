import { strict as assert } from "node:assert";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import postgres from "postgres";

import { startPostgres } from "../../local/postgres/postgres.ts";
import { removePostgresFolder } from "../../local/postgres/folder.ts";

const log = () => {};

// Reachable by the user that Postgres runs under, which a folder of makeTempDir is not.
async function withFolder(use: (dir: string) => Promise<void>, mode = 0o755): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "switchyard-test-" });
  await Deno.chmod(dir, mode);
  try {
    await use(dir);
  } finally {
    await removePostgresFolder(dir);
    await Deno.remove(dir, { recursive: true });
  }
}

/** Postgres started by another process, which can then be killed as a user would. */
async function holdPostgres(dir: string): Promise<{ holder: Deno.ChildProcess; port: number }> {
  const script = fileURLToPath(new URL("../support/hold_postgres.ts", import.meta.url));
  const holder = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", script, dir],
    stdin: "null",
    stdout: "piped",
  }).spawn();
  const reader = holder.stdout.pipeThrough(new TextDecoderStream()).getReader();
  assert.match((await reader.read()).value ?? "", /ready/);
  reader.releaseLock();
  const port = Number((await readLock(dir))[3]);
  return { holder, port };
}

async function readLock(dir: string): Promise<string[]> {
  return (await Deno.readTextFile(join(dir, "postgres/cluster/postmaster.pid"))).split("\n");
}

async function kill(child: Deno.ChildProcess): Promise<void> {
  child.kill("SIGKILL");
  await child.status;
}

async function query(url: string, text: string): Promise<Record<string, unknown>[]> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    return await sql.unsafe(text);
  } finally {
    await sql.end();
  }
}

Deno.test("Postgres offers the hosted extensions to a role that is not a superuser", async () => {
  await withFolder(async (dir) => {
    const server = await startPostgres({ dir, port: 0, log });
    try {
      await query(
        server.url,
        `create extension pgmq; create extension pg_cron;
         create extension pg_net with schema extensions;
         create extension if not exists supabase_vault with schema vault`,
      );
      const rows = await query(server.url, "select extname, extversion from pg_extension");
      const versions = Object.fromEntries(rows.map((row) => [row.extname, row.extversion]));
      assert.equal(versions.pgmq, "1.11.1");
      assert.equal(versions.pg_cron, "1.6.4");
      assert.equal(versions.pg_net, "0.20.3");
      assert.equal(versions.supabase_vault, "0.3.1");
      const [role] = await query(
        server.url,
        "select rolsuper, rolbypassrls from pg_roles where rolname = current_user",
      );
      assert.deepEqual({ ...role }, { rolsuper: false, rolbypassrls: true });
    } finally {
      await server.stop();
    }
  });
});

Deno.test("Postgres keeps its data when stopped and started again", async () => {
  await withFolder(async (dir) => {
    const first = await startPostgres({ dir, port: 0, log });
    await query(first.url, "create table kept as select 42 as answer");
    await first.stop();
    const second = await startPostgres({ dir, port: first.port, log });
    try {
      assert.equal((await query(second.url, "select answer from kept"))[0]?.answer, 42);
    } finally {
      await second.stop();
    }
  });
});

Deno.test("Postgres starts again after its starter was killed", async () => {
  await withFolder(async (dir) => {
    const { holder, port } = await holdPostgres(dir);
    await kill(holder);
    const server = await startPostgres({ dir, port, log });
    await server.stop();
  });
});

Deno.test("Postgres starts again after its starter and itself were killed", async () => {
  await withFolder(async (dir) => {
    const { holder, port } = await holdPostgres(dir);
    const [pid] = await readLock(dir);
    Deno.kill(Number(pid), "SIGKILL");
    await kill(holder);
    const server = await startPostgres({ dir, port, log });
    await server.stop();
  });
});

Deno.test("a lock that names another program's process is removed and the process left alone", async () => {
  await withFolder(async (dir) => {
    await (await startPostgres({ dir, port: 0, log })).stop();
    const lock = join(dir, "postgres/cluster/postmaster.pid");
    await Deno.writeTextFile(lock, `${Deno.pid}\n`);
    await (await startPostgres({ dir, port: 0, log })).stop();
  });
});

Deno.test("data in use by a living run is refused and that run goes on", async () => {
  await withFolder(async (dir) => {
    const server = await startPostgres({ dir, port: 0, log });
    try {
      await assert.rejects(startPostgres({ dir, port: 0, log }), /Another run uses .*--dir/);
      assert.equal((await query(server.url, "select 1 as one"))[0]?.one, 1);
    } finally {
      await server.stop();
    }
  });
});

Deno.test("a taken port is refused with what to do", async () => {
  await withFolder(async (dir) => {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr as Deno.NetAddr;
    try {
      await assert.rejects(
        startPostgres({ dir, port, log }),
        new Error(
          `Port ${port} is taken: stop what listens there, or choose other ports with --port.`,
        ),
      );
    } finally {
      listener.close();
    }
  });
});

Deno.test({
  name: "a folder that the server's user cannot enter gets its data elsewhere, and says so",
  ignore: Deno.uid() !== 0,
  async fn() {
    await withFolder(async (dir) => {
      const said: string[] = [];
      const server = await startPostgres({ dir, port: 0, log: (line) => said.push(line) });
      await server.stop();
      const place = await Deno.readLink(join(dir, "postgres"));
      assert.match(place, /^\/var\/tmp\/switchyard-/);
      assert.ok(said.some((line) => line.includes(`its data is kept in ${place}`)));
      await removePostgresFolder(dir);
      await assert.rejects(Deno.lstat(place), Deno.errors.NotFound);
    }, 0o700);
  },
});
