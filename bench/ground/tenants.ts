import type { Sql } from "./ground.ts";

/** A tenant with its senders, by their phone_number_id. */
export interface BenchTenant {
  id: string;
  senders: string[];
}

const ACTOR = { kind: "secret" };
/** Of Meta's limits the highest, so that pacing is not what is measured. */
const THROUGHPUT_PER_SECOND = 1_000;
const UNLIMITED = 1_000_000;

/** Makes tenants through the functions of the admin API, with limits that are never reached. */
export async function createTenants(
  sql: Sql,
  shape: { tenants: number; sendersEach: number },
): Promise<BenchTenant[]> {
  const made: BenchTenant[] = [];
  for (let nth = 0; nth < shape.tenants; nth++) {
    const [tenant] = await sql`
      select switchyard_api.create_tenant(${`tenant-${nth}`}, 'A tenant', ${sql.json(ACTOR)})
        ->> 'id' as id`;
    await sql`
      update switchyard.tenants set limit_messages = ${UNLIMITED} where id = ${tenant!.id}`;
    const senders = sendersOf(nth, shape.sendersEach);
    for (const phoneNumberId of senders) await addSender(sql, tenant!.id, phoneNumberId);
    made.push({ id: tenant!.id, senders });
  }
  return made;
}

/** The phone_number_ids of the nth tenant that createTenants() makes, from 0. */
export function sendersOf(nth: number, sendersEach: number): string[] {
  return Array.from(
    { length: sendersEach },
    (_, index) => String(100_000_000_000_000 + nth * sendersEach + index),
  );
}

async function addSender(sql: Sql, tenantId: string, phoneNumberId: string): Promise<void> {
  const sender = {
    phone_number_id: phoneNumberId,
    business_account_id: phoneNumberId,
    display_phone_number: "+1 555 010 0001",
    access_token: `token-of-${phoneNumberId}`,
    throughput_per_second: THROUGHPUT_PER_SECOND,
  };
  await sql`
    select switchyard_api.add_sender(${tenantId}, ${sql.json(sender)}, ${sql.json(ACTOR)})`;
}

const BATCH = 1_000;

/** Enqueues messages of all senders in turn, each to a recipient of its own. */
export async function enqueue(
  sql: Sql,
  tenants: BenchTenant[],
  options: { messages: number; from: number; at: Date; lane: "urgent" | "normal" | "bulk" },
): Promise<void> {
  for (let first = 0; first < options.messages; first += BATCH) {
    const tenant = tenants[first / BATCH % tenants.length]!;
    const items = Array.from({ length: Math.min(BATCH, options.messages - first) }, (_, index) => ({
      index,
      from: tenant.senders[index % tenant.senders.length],
      to: `+1555${String(options.from + first + index).padStart(9, "0")}`,
      type: "text",
      content: { body: "Your parcel is on its way and arrives tomorrow." },
      lane: options.lane,
    }));
    await sql`
      select from switchyard_api.enqueue_messages(
        ${tenant.id}, ${sql.json(items)}, ${options.at})`;
  }
}
