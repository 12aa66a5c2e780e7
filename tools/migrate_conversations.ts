// deno-lint-ignore-file no-console -- a program: what it prints is its result
/**
 * `deno task migrate:conversations <machine> <from> <to>` shows what another version of a machine would
 * make of every conversation that runs on the one before; with `--apply` it does so. SUPABASE_URL and
 * SUPABASE_SECRET_KEY name the project.
 */
import { machines } from "../supabase/functions/_shared/conversation/machines.ts";
import { nameOf } from "../supabase/functions/_shared/conversation/machine.ts";
import type { StoredSnapshot } from "../supabase/functions/_shared/conversation/machine.ts";
import { migrate } from "../supabase/functions/_shared/conversation/migration.ts";
import type { Machines } from "../supabase/functions/_shared/conversation/registry.ts";
import { stateName } from "../supabase/functions/_shared/conversation/snapshot.ts";
import { type CallRpc, connectDatabase } from "../supabase/functions/_shared/database.ts";
import type { Json } from "../supabase/functions/_shared/database_types.ts";

export interface MigrationOrder {
  machine: string;
  from: number;
  to: number;
  /** False only looks. */
  apply: boolean;
  now: number;
}

/** How many conversations went, or would go, from one state to another; and why others stay. */
export interface MigrationReport {
  same: number;
  mapped: number;
  /** Advanced while they were looked at; running it again takes them. */
  overtaken: number;
  stuck: Record<string, number>;
  moves: Record<string, number>;
}

const PAGE = 200;

/** Looks at every running conversation of a version, page by page, and moves those that can go on. */
export async function migrateConversations(
  call: CallRpc,
  registry: Machines,
  { machine, from, to, apply, now }: MigrationOrder,
): Promise<MigrationReport> {
  const target = registry.find(machine, to);
  if (target === undefined) throw new Error(`There is no ${nameOf({ id: machine, version: to })}.`);
  const report: MigrationReport = { same: 0, mapped: 0, overtaken: 0, stuck: {}, moves: {} };
  for (let after: string | null = null;;) {
    const rows = await call("list_running_conversations", {
      machine,
      version: from,
      after_id: after,
      page_limit: PAGE,
    }) as unknown as Running[];
    const items = rows.flatMap((row) => planOne(row));
    if (apply && items.length > 0) {
      const done = await call("migrate_conversations", { items: items as unknown as Json });
      report.overtaken += done.filter(({ is_migrated }) => !is_migrated).length;
    }
    if (rows.length < PAGE) return report;
    after = rows.at(-1)!.conversation_id;
  }

  function planOne({ conversation_id, seq, snapshot, timers }: Running) {
    const set = timers.map((timer) => ({ ...timer, dueAt: Date.parse(timer.due_at) }));
    const plan = migrate(target!, { version: from, snapshot, timers: set }, now);
    if (plan.outcome === "stuck") {
      report.stuck[plan.reason] = (report.stuck[plan.reason] ?? 0) + 1;
      return [];
    }
    report[plan.outcome] += 1;
    const move = `${stateName(snapshot.value)} → ${plan.state}`;
    report.moves[move] = (report.moves[move] ?? 0) + 1;
    return [{
      conversation_id,
      seq,
      version: to,
      snapshot: plan.snapshot,
      state: plan.state,
      timers: plan.timers.map(({ name, dueAt, event }) => ({
        name,
        event,
        due_at: new Date(dueAt).toISOString(),
      })),
    }];
  }
}

interface Running {
  conversation_id: string;
  seq: number;
  snapshot: StoredSnapshot;
  timers: { name: string; due_at: string; event: { type: string } }[];
}

if (import.meta.main) {
  const [machine, from, to] = Deno.args.filter((argument) => !argument.startsWith("--"));
  const [url, secretKey] = ["SUPABASE_URL", "SUPABASE_SECRET_KEY"].map((name) =>
    Deno.env.get(name)
  );
  if (!machine || !(Number(from) > 0) || !(Number(to) > 0) || !url || !secretKey) {
    console.error(
      "Usage: SUPABASE_URL=… SUPABASE_SECRET_KEY=… deno task migrate:conversations <machine> <from> <to> [--apply]",
    );
    Deno.exit(1);
  }
  const apply = Deno.args.includes("--apply");
  const call = connectDatabase({ url, secretKey, fetch });
  const order = { machine, from: Number(from), to: Number(to), apply, now: Date.now() };
  console.log(JSON.stringify(await migrateConversations(call, machines, order), null, 2));
  if (!apply) console.log("Nothing was changed; --apply does it.");
}
