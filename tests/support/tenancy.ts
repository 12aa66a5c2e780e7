import type { Sql } from "./database.ts";

/** A tenant with one sender, made through the same functions as the admin API. */
export interface Tenancy {
  tenantId: string;
  senderId: string;
  phoneNumberId: string;
  businessAccountId: string;
}

let made = 0;

/** Makes a tenant whose sender has this many messages a second. */
export async function createTenancy(
  sql: Sql,
  overrides: { businessAccountId?: string; throughputPerSecond?: number } = {},
): Promise<Tenancy> {
  made += 1;
  const phoneNumberId = `55500${made}`;
  const businessAccountId = overrides.businessAccountId ?? `77700${made}`;
  const actor = { kind: "secret" };
  const [tenant] = await sql`
    select switchyard_api.create_tenant(${`tenant-${made}`}, 'A tenant', ${sql.json(actor)})
      ->> 'id' as id`;
  const sender = {
    phone_number_id: phoneNumberId,
    business_account_id: businessAccountId,
    display_phone_number: "+1 555 010 0001",
    access_token: `token-of-${phoneNumberId}`,
    throughput_per_second: overrides.throughputPerSecond ?? 80,
  };
  const [added] = await sql`
    select switchyard_api.add_sender(${tenant!.id}, ${sql.json(sender)}, ${sql.json(actor)})
      ->> 'id' as id`;
  return { tenantId: tenant!.id, senderId: added!.id, phoneNumberId, businessAccountId };
}
