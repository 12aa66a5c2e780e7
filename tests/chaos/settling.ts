import type { Sql } from "../support/database.ts";
import type { Platform } from "../support/platform.ts";
import { control, type Idleness } from "./control.ts";

/** What is still under way. */
export interface Unsettled {
  messages: Record<string, number>;
  pending_events: number;
  outbound_entries: number;
  inbound_entries: number;
  callbacks: number;
  simulator: Idleness;
}

const POLL_MS = 500;
/** As wa-callbacks takes it. */
const CALLBACK_LEASE_SECONDS = 60;

/**
 * Waits until nothing is under way any more and returns null, or what still is after `boundMs`.
 * `eachTime` is called before every look.
 */
export async function waitUntilSettled(
  platform: Platform,
  sql: Sql,
  options: { boundMs: number; eachTime: (seen: Unsettled) => Promise<void> },
): Promise<Unsettled | null> {
  const deadline = Date.now() + options.boundMs;
  while (true) {
    const seen = await look(platform, sql);
    if (isSettled(seen)) return null;
    if (Date.now() > deadline) return seen;
    await options.eachTime(seen);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

async function look(platform: Platform, sql: Sql): Promise<Unsettled> {
  const simulator = await control<Idleness>(platform, "GET", "/idle?timeout_ms=0");
  const [row] = await sql<Omit<Unsettled, "simulator">[]>`
    select
      coalesce((
        select jsonb_object_agg(status, count)
        from (
          select status, count(*) from switchyard.messages
          where status in ('queued', 'sending', 'outcome_unknown', 'sent', 'delivered')
            or queue_entry_id is not null
          group by status
        ) by_status), '{}') as messages,
      (select count(*) from switchyard.inbound_events where state = 'pending') as pending_events,
      (select count(*) from pgmq.q_wa_outbound) as outbound_entries,
      (select count(*) from pgmq.q_wa_inbound) as inbound_entries,
      (
        select count(*) from switchyard.callback_deliveries where finished_at is null
      ) as callbacks`;
  return { ...row!, simulator };
}

function isSettled({ messages, simulator, ...counts }: Unsettled): boolean {
  return Object.keys(messages).length === 0 && isAtRest(simulator) &&
    Object.values(counts).every((count) => count === 0);
}

/** True when the simulator has reported all that there is, and every report was taken. */
function isAtRest({ idle, waiting_for_retry }: Idleness): boolean {
  return idle && waiting_for_retry === 0;
}

/**
 * Lets the minutes pass that the database would wait for workers who are gone: what was claimed
 * before `goneAt` is free, and where all is reported no outcome is waited for any longer.
 */
export async function passTime(sql: Sql, goneAt: Date, seen: Unsettled): Promise<void> {
  await sql`
    update switchyard.messages m set lease_expires_at = clock_timestamp()
    from switchyard.message_attempts a
    where a.message_id = m.id and a.attempt = m.attempt_count
      and m.lease_expires_at is not null and a.outcome is null and a.started_at < ${goneAt}`;
  await sql`
    with gone as (
      update switchyard.inbound_events e set lease_expires_at = null
      where e.state = 'pending' and e.lease_expires_at is not null and e.updated_at < ${goneAt}
      returning e.id
    )
    select pgmq.set_vt('wa_inbound', q.msg_id, 0)
    from pgmq.q_wa_inbound q
    join gone on gone.id = (q.message ->> 'id')::bigint`;
  await sql`
    update switchyard.callback_deliveries set lease_expires_at = clock_timestamp()
    where lease_expires_at > clock_timestamp()
      and lease_expires_at < ${goneAt}::timestamptz + make_interval(secs => ${CALLBACK_LEASE_SECONDS})`;
  if (!isAtRest(seen.simulator) || seen.pending_events > 0) return;
  await sql`
    update switchyard.messages set unknown_until = clock_timestamp()
    where status = 'outcome_unknown' and unknown_until > clock_timestamp()`;
}
