import type { Machines } from "../../supabase/functions/_shared/conversation/registry.ts";
import type { CallRpc } from "../../supabase/functions/_shared/database.ts";
import { createConversationQueue } from "../../supabase/functions/_shared/queue/conversations.ts";
import { createLog } from "../../supabase/functions/_shared/telemetry/log.ts";
import {
  type Conversations,
  createConversations,
} from "../../supabase/functions/wa-inbound/conversations.ts";
import type { Sql } from "./database.ts";
import { anEvent, apply, claimEvents, store } from "./inbound.ts";
import type { Tenancy } from "./tenancy.ts";

/** Rules of time of the functions that take it: the test's clock is the database's. */
const TAKES_TIME: ReadonlySet<string> = new Set([
  "claim_conversations",
  "advance_conversations",
  "put_off_conversations",
]);

/** For drains of tenants without a bot. */
export const NO_CONVERSATIONS: Conversations = {
  advanceSome: () => Promise.resolve(0),
  nextWakeAt: () => Promise.resolve(null),
};

/** Calls functions at the time that the clock shows. */
export function atTime(call: CallRpc, clock: { now: number }): CallRpc {
  return (name, args, options) => {
    const at = new Date(clock.now).toISOString();
    return call(name, (TAKES_TIME.has(name) ? { ...args, at } : args) as never, options);
  };
}

/** A worker for conversations with machines of the test's own. */
export function aWorker(
  call: CallRpc,
  machines: Machines,
  log: string[] = [],
): Conversations {
  return createConversations({
    queue: createConversationQueue(call, { leaseSeconds: 20 }),
    machines,
    sleep: () => Promise.resolve(),
    random: () => 0,
    log: createLog({ write: (line) => log.push(line), now: () => 0, fields: {} }),
  });
}

/** Lets conversations react until none has anything to do. */
export async function advanceAll(worker: Conversations): Promise<number> {
  let total = 0;
  for (let count = 1; count > 0; total += count) {
    count = await worker.advanceSome();
    if (total > 1_000) throw new Error("Conversations do not come to rest");
  }
  return total;
}

/** Chooses the machine of a tenant, which is made known first. */
export async function setBot(
  sql: Sql,
  tenancy: Tenancy,
  machine: { id: string; version: number; fingerprint: string } | null,
): Promise<void> {
  if (machine !== null) {
    const { id, version, fingerprint } = machine;
    await sql`
      select switchyard_api.offer_machines(${sql.json([{ id, version, fingerprint }])})`;
  }
  await sql`
    select switchyard_api.set_bot(
      ${tenancy.tenantId}, ${machine?.id ?? null}, ${sql.json({ kind: "secret" })})`;
}

let written = 0;

/** Lets a customer write a text to the tenancy's sender, as the drain applies it. */
export async function write(
  sql: Sql,
  tenancy: Tenancy,
  text: string,
  { at, ...overrides }: { at: number } & Record<string, unknown>,
): Promise<void> {
  written += 1;
  await store(sql, [
    anEvent(tenancy, {
      kind: "message",
      field: overrides.field ?? "messages",
      event_at: new Date(at).toISOString(),
    }),
  ]);
  await apply(sql, await claimEvents(sql, 10), () => ({
    action: "message",
    wamid: `wamid.in${written}`,
    type: "text",
    content: { text: { body: text } },
    at: new Date(at).toISOString(),
    phone: "+15550200001",
    user_id: null,
    name: "Ann Bell",
    ...overrides,
  }));
}

/** Lets a customer tap a button or a row. */
export function tap(
  sql: Sql,
  tenancy: Tenancy,
  id: string,
  options: { at: number } & Record<string, unknown>,
): Promise<void> {
  const interactive = { type: "button_reply", button_reply: { id, title: id } };
  return write(sql, tenancy, "", { ...options, type: "interactive", content: { interactive } });
}

/** Every text, body or type that was said in a tenancy, in the order in which it was accepted. */
export async function saidIn(sql: Sql, tenancy: Tenancy): Promise<string[]> {
  const rows = await sql<{ said: string }[]>`
    select coalesce(content #>> '{body,text}', content ->> 'body', type) as said
    from switchyard.messages where tenant_id = ${tenancy.tenantId} order by accepted_no`;
  return rows.map(({ said }) => said);
}

/** Where the conversations of a tenancy stand. */
export async function statesIn(sql: Sql, tenancy: Tenancy): Promise<(string | null)[]> {
  const rows = await sql<{ state: string | null }[]>`
    select m.state from switchyard.conversation_machines m
    join switchyard.conversations c on c.id = m.conversation_id
    where m.tenant_id = ${tenancy.tenantId} order by c.customer_phone, c.customer_user_id`;
  return rows.map(({ state }) => state);
}
