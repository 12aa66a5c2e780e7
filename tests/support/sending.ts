import { strict as assert } from "node:assert";

import { eventually } from "./eventually.ts";
import type { Platform, Tenant } from "./platform.ts";
import { openPlatformDatabase } from "./platform_database.ts";
import type { ReceivedCall } from "./simulator.ts";

/** A message as its tenant sees it. */
export interface MessageView {
  id: string;
  status: string;
  wamid: string | null;
  error?: { cause: string; code?: number };
  waiting_for?: string;
  attempts: { outcome?: string; error?: { cause: string; code?: number } }[];
}

/** Posts a text from the tenant's sender, which must be accepted, and returns its id. */
export async function post(
  tenant: Tenant,
  overrides: Record<string, unknown> = {},
): Promise<string> {
  const answer = await tenant.send(overrides);
  assert.equal(answer.status, 202, answer.text);
  return answer.json<{ id: string }>().id;
}

/** Posts a batch of texts to as many recipients and returns their ids. */
export async function postToMany(tenant: Tenant, count: number): Promise<string[]> {
  const messages = Array.from({ length: count }, (_, nth) => ({
    from: tenant.phoneNumberId,
    to: `+49151500${String(nth).padStart(5, "0")}`,
    type: "text",
    text: { body: `Number ${nth}` },
  }));
  const headers = { "idempotency-key": crypto.randomUUID() };
  const answer = await tenant.api("/wa-messages/batch", { headers, body: { messages } });
  assert.equal(answer.status, 202, answer.text);
  const ids = answer.json<{ accepted: { id: string }[] }>().accepted.map(({ id }) => id);
  assert.equal(ids.length, count);
  return ids;
}

/** Reads a message of the tenant. */
export function readMessage(tenant: Tenant, id: string): Promise<MessageView> {
  return tenant.api(`/wa-messages/${id}`).then((answer) => answer.json<MessageView>());
}

/** Waits until the message is as `accept` says. */
export function untilMessage(
  tenant: Tenant,
  id: string,
  accept: (message: MessageView) => boolean,
): Promise<MessageView> {
  return eventually(() => readMessage(tenant, id), accept, { timeoutMs: 45_000, intervalMs: 200 });
}

/** Waits until the message has this status. */
export function untilStatus(tenant: Tenant, id: string, wanted: string): Promise<MessageView> {
  return untilMessage(tenant, id, ({ status }) => status === wanted);
}

/** Waits until no worker has a message of the tenant: what was claimed may still go. */
export async function untilNothingIsSending(platform: Platform, tenant: Tenant): Promise<void> {
  await using database = openPlatformDatabase(platform);
  const { sql } = database;
  // A claim that began before is waited for: the next one sees what was changed.
  await sql`select pg_advisory_xact_lock(hashtextextended('switchyard.claim_messages', 0))`;
  const sending = () =>
    sql`
      select from switchyard.messages where tenant_id = ${tenant.id} and status = 'sending'`;
  await eventually(sending, ({ length }) => length === 0, { timeoutMs: 30_000 });
}

/** What came of the attempts, the first one first. */
export function outcomesOf({ attempts }: MessageView): (string | undefined)[] {
  return attempts.map(({ outcome }) => outcome);
}

/** The calls that Meta got from the tenant's sender, once there are so many. */
export function callsOf(
  { simulator }: Platform,
  tenant: Tenant,
  waitFor = 0,
): Promise<ReceivedCall[]> {
  const ofTenant = { phone_number_id: tenant.phoneNumberId };
  return simulator.received(ofTenant, { waitFor, timeoutMs: 30_000 });
}

/** Our ids of the messages that Meta accepted from the tenant's sender, in the order of its accepting. */
export async function acceptedIds(platform: Platform, tenant: Tenant): Promise<string[]> {
  const calls = await callsOf(platform, tenant);
  return calls.filter(({ outcome }) => outcome === "accepted").map(messageIdOf);
}

/** Our id of the message that a call was for, as Meta hands it back. */
export function messageIdOf({ body }: ReceivedCall): string {
  return (body as Record<string, string>).biz_opaque_callback_data!;
}
