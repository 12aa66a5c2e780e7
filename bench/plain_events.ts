import type { WebhookEvent } from "../supabase/functions/_shared/whatsapp/webhook_events.ts";
import type { GroundDatabase } from "./ground/ground.ts";

const CONNECTIONS = 8;

const SCHEMA = `
  create table events (
    id bigint generated always as identity primary key, key text unique not null, kind text not null,
    payload jsonb not null, done boolean not null default false);
  create index events_waiting on events (id) where not done;
  create table messages (wamid text primary key, status text, rank integer not null default 0);
  create table statuses (
    id bigint generated always as identity primary key, wamid text, status text, at text);
  create table conversations (id bigint generated always as identity primary key, phone text unique);
  create table received (
    id bigint generated always as identity primary key, conversation_id bigint not null, wamid text,
    content jsonb);`;

/**
 * What most receivers do: a table of events, and one transaction for each, on several connections and
 * without anything between them and Postgres. No order within a conversation, no tenants, no letters.
 */
export interface PlainEvents {
  store(events: WebhookEvent[]): Promise<void>;
  applyAll(): Promise<void>;
}

/** Lays the tables into an empty database. */
export async function openPlainEvents({ sql }: GroundDatabase): Promise<PlainEvents> {
  await sql.unsafe(SCHEMA);

  async function applyOne(): Promise<boolean> {
    return await sql.begin(async (tx) => {
      const [event] = await tx`
        select id, kind, payload from events where not done order by id limit 1
        for update skip locked`;
      if (event === undefined) return false;
      const { payload } = event;
      if (event.kind === "status") {
        const { id, status, timestamp } = payload.status;
        const rank = ["sent", "delivered", "read"].indexOf(status) + 1;
        await tx`insert into statuses (wamid, status, at) values (${id}, ${status}, ${timestamp})`;
        await tx`
          insert into messages (wamid, status, rank) values (${id}, ${status}, ${rank})
          on conflict (wamid) do update set status = excluded.status, rank = excluded.rank
          where messages.rank < excluded.rank`;
      } else {
        const { from, id } = payload.message;
        const [conversation] = await tx`
          insert into conversations (phone) values (${from})
          on conflict (phone) do update set phone = excluded.phone returning id`;
        await tx`
          insert into received (conversation_id, wamid, content)
          values (${conversation!.id}, ${id}, ${tx.json(payload.message)})`;
      }
      await tx`update events set done = true where id = ${event.id}`;
      return true;
    });
  }

  return {
    async store(events) {
      const rows = events.map(({ key, kind, payload }) => ({ key, kind, payload }));
      await sql`
        insert into events (key, kind, payload)
        select key, kind, payload
        from jsonb_to_recordset(${
        sql.json(rows as never)
      }) as e (key text, kind text, payload jsonb)`;
    },
    async applyAll() {
      await Promise.all(Array.from({ length: CONNECTIONS }, async () => {
        while (await applyOne());
      }));
    },
  };
}
