import type { Sql } from "../support/database.ts";
import type { Platform } from "../support/platform.ts";
import type { Arrival, Listeners } from "./callbacks.ts";
import type { Plan } from "./plan.ts";

/** One call that the simulator received, in the order of its taking them up. */
export interface Call {
  phoneNumberId: string;
  to: string;
  nth: number;
  /** Our id of the message, which Meta hands back with every status. */
  messageId: string;
  outcome: string;
  code: number | null;
  wamid: string | null;
}

export interface StoredMessage {
  id: string;
  phone_number_id: string;
  recipient: string;
  lane: string;
  nth: number;
  status: string;
  wamid: string | null;
  attempts: { outcome: string | null; cause: string | null }[];
  /** Every status that was kept of it, in the order of their ranks. */
  statuses: string[];
  dead_letters: string[];
  is_free: boolean;
  /** Whether the tenant is told of an error. */
  has_error: boolean;
}

export interface StoredConversation {
  phone_number_id: string;
  customer_phone: string;
  wamids: string[];
}

/** What can be seen when a run is over: on Meta's side, and on ours. */
export interface Facts {
  calls: Call[];
  messages: StoredMessage[];
  conversations: StoredConversation[];
  /** How many events are in each state, and how many of them stand for one and the same thing. */
  event_states: Record<string, number>;
  equal_events: number;
  outbound_entries: number;
  inbound_entries: number;
  event_dead_letters: number;
  arrivals: Arrival[];
}

/** Reads everything that the rules are held against. */
export async function readFacts(
  platform: Platform,
  sql: Sql,
  plan: Plan,
  listeners: Listeners,
): Promise<Facts> {
  const [totals] = await readTotals(sql);
  return {
    ...totals!,
    calls: await readCalls(platform, plan),
    messages: await readMessages(sql),
    conversations: await readConversations(sql),
    arrivals: listeners.arrivals(),
  };
}

async function readCalls({ simulator }: Platform, plan: Plan): Promise<Call[]> {
  const calls: Call[] = [];
  for (const { phoneNumberId } of plan.tenants) {
    for (const call of await simulator.received({ phone_number_id: phoneNumberId })) {
      const body = call.body as { text: { body: string }; biz_opaque_callback_data: string };
      const { outcome, code, wamid } = call;
      calls.push({
        ...{ phoneNumberId, outcome, code, wamid },
        to: `+${(call.to ?? "").replaceAll(/\D/g, "")}`,
        nth: Number(body.text.body),
        messageId: body.biz_opaque_callback_data,
      });
    }
  }
  return calls;
}

function readMessages(sql: Sql): Promise<StoredMessage[]> {
  return sql<StoredMessage[]>`
    select m.id, s.phone_number_id, m.recipient, m.lane, (m.content ->> 'body')::integer as nth, m.status,
      m.wamid,
      coalesce((
        select jsonb_agg(
          jsonb_build_object('outcome', a.outcome, 'cause', a.error ->> 'cause') order by a.attempt)
        from switchyard.message_attempts a where a.message_id = m.id), '[]') as attempts,
      array(
        select t.status from switchyard.message_statuses t where t.message_id = m.id
        order by switchyard.status_rank(t.status), t.id) as statuses,
      array(
        select d.cause from switchyard.dead_letters d where d.message_id = m.id) as dead_letters,
      m.queue_entry_id is null and m.lease_expires_at is null and m.unknown_until is null
        and not m.holds_pair and not m.waits_turn as is_free,
      m.failure is not null as has_error
    from switchyard.messages m
    join switchyard.senders s on s.id = m.sender_id
    order by m.accepted_no`;
}

function readConversations(sql: Sql): Promise<StoredConversation[]> {
  return sql<StoredConversation[]>`
    select s.phone_number_id, c.customer_phone,
      array(
        select e.wamid from switchyard.conversation_events e where e.conversation_id = c.id
        order by e.wamid) as wamids
    from switchyard.conversations c
    join switchyard.senders s on s.id = c.sender_id`;
}

function readTotals(sql: Sql) {
  return sql<
    Pick<
      Facts,
      | "event_states"
      | "equal_events"
      | "outbound_entries"
      | "inbound_entries"
      | "event_dead_letters"
    >[]
  >`
    select
      coalesce((
        select jsonb_object_agg(state, count)
        from (select state, count(*) from switchyard.inbound_events group by state) by_state
      ), '{}') as event_states,
      (
        select count(*) - count(distinct (
          kind, phone_number_id,
          coalesce(payload -> 'status' ->> 'id', payload -> 'message' ->> 'id'),
          payload -> 'status' ->> 'status'))
        from switchyard.inbound_events) as equal_events,
      (select count(*) from pgmq.q_wa_outbound) as outbound_entries,
      (select count(*) from pgmq.q_wa_inbound) as inbound_entries,
      (
        select count(*) from switchyard.dead_letters where inbound_event_id is not null
      ) as event_dead_letters`;
}
