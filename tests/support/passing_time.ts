import type { Sql } from "./database.ts";

/**
 * Lets a minute pass for a tenant's messages that are being sent: whoever claimed them has lost the
 * claim, as after a kill.
 */
export async function endLeases(sql: Sql, tenantId: string): Promise<void> {
  await sql`
    update switchyard.messages set lease_expires_at = clock_timestamp()
    where tenant_id = ${tenantId} and lease_expires_at is not null`;
  await sql`select switchyard.tick()`;
}

/** Lets the claims of events pass whose workers are gone. */
export async function endEventLeases(sql: Sql): Promise<void> {
  await sql`
    update switchyard.inbound_events set lease_expires_at = null where lease_expires_at is not null`;
  await sql`select pgmq.set_vt('wa_inbound', msg_id, 0) from pgmq.q_wa_inbound`;
  await sql`select switchyard.tick()`;
}

/** Lets the time pass in which a status could still settle what is unknown of a tenant's messages. */
export async function endGrace(sql: Sql, tenantId: string): Promise<void> {
  await sql`
    update switchyard.messages set unknown_until = clock_timestamp()
    where tenant_id = ${tenantId} and status = 'outcome_unknown'`;
  await sql`select switchyard.tick()`;
}

/** Lets the time pass for which a tenant's messages were put back, and its senders held. */
export async function endWaits(sql: Sql, tenantId: string): Promise<void> {
  await sql`update switchyard.senders set held_until = null where tenant_id = ${tenantId}`;
  await makeDue(sql, tenantId);
  await sql`select switchyard.tick()`;
}

/** Makes due whatever waits of a tenant, in the order of acceptance, and wakes nobody. */
export async function makeDue(sql: Sql, tenantId: string): Promise<void> {
  await sql`
    with due as (
      update switchyard.messages set due_at = now()
      where tenant_id = ${tenantId} and status = 'queued' and due_at > now()
      returning id
    )
    select switchyard.lower_heads(array(select id from due))`;
}
