import type { Sql } from "./ground.ts";

/** One in so many is urgent. */
const URGENT_ONE_IN = 10;

/**
 * Puts messages of all senders in turn into the backlog by one statement, as accepting would have left
 * them: a slot each, one after the other by the rate of their share from `at` on, and every lane with
 * its head and its next slot. Each goes to a recipient of its own, numbered from `from` on.
 */
export async function fillBacklog(
  sql: Sql,
  { messages, from, at }: { messages: number; from: number; at: Date },
): Promise<void> {
  await sql.begin(async (sql) => {
    await sql`
      insert into switchyard.messages (
        tenant_id, sender_id, recipient, type, content, lane, planned_send_at, due_at, expires_at,
        created_at)
      select s.tenant_id, s.id, '+1555' || lpad((${from}::integer + n)::text, 9, '0'), 'text',
        '{"body": "Your parcel is on its way and arrives tomorrow."}', lane, slot, slot,
        slot + interval '24 hours', ${at}
      from generate_series(0, ${messages - 1}::integer) n
      join (
        select *, row_number() over (order by phone_number_id) - 1 as place, count(*) over () as count
        from switchyard.senders
      ) s on s.place = n % s.count
      cross join lateral (select n / s.count as nth, (n / s.count) % ${URGENT_ONE_IN} = 0 as is_urgent) of
      cross join lateral (
        select case when is_urgent then 'urgent' else 'normal' end as lane,
          ${at}::timestamptz + make_interval(secs => case
            when is_urgent then of.nth / ${URGENT_ONE_IN} / (s.throughput_per_second * 0.2)
            else of.nth / (s.throughput_per_second * 0.8) end) as slot
      ) planned
      order by n`;
    await sql`
      update switchyard.sender_lanes l
      set head_due_at = least(l.head_due_at, came.first_at),
        next_slot_at = greatest(l.next_slot_at, came.last_at), appended = l.appended + 1
      from (
        select sender_id, share, min(due_at) as first_at, max(due_at) as last_at
        from switchyard.messages
        where status = 'queued' and queue_entry_id is null and not waits_turn
        group by sender_id, share
      ) came
      where l.sender_id = came.sender_id and l.share = came.share`;
  });
  await sql`vacuum analyze`;
}
