import { strict as assert } from "node:assert";

import { eventually } from "../support/eventually.ts";
import { endGrace } from "../support/passing_time.ts";
import { connectPlatform, type Tenant } from "../support/platform.ts";
import { openPlatformDatabase } from "../support/platform_database.ts";
import {
  acceptedIds,
  callsOf,
  messageIdOf,
  outcomesOf,
  post,
  postToMany,
  readMessage,
  untilMessage,
  untilNothingIsSending,
  untilStatus,
} from "../support/sending.ts";

const platform = connectPlatform();

function misbehave(tenant: Tenant, rule: Record<string, unknown>): Promise<number> {
  return platform.simulator.addRule({ match: { phone_number_id: tenant.phoneNumberId }, ...rule });
}

/** Runs what takes its time for all cases at once, each with a tenant of its own. */
async function forEach<T>(cases: readonly T[], run: (one: T) => Promise<void>): Promise<void> {
  await Promise.all(cases.map((one) =>
    run(one).catch((cause) => {
      throw new Error(`with ${JSON.stringify(one)}: ${cause.message}`, { cause });
    })
  ));
}

async function rotate(tenant: Tenant, accessToken: string): Promise<void> {
  const path = `/admin/tenants/${tenant.id}/senders/${tenant.phoneNumberId}/credential`;
  const body = { access_token: accessToken };
  assert.equal((await platform.api(path, { method: "PUT", body })).status, 200);
}

Deno.test("a message whose answer says nothing, malformed JSON with 200 included, is settled by the status and goes once", () =>
  forEach(["accept_then_500", "accept_then_cut", "malformed_200"], async (fault) => {
    const tenant = await platform.createTenant();
    await misbehave(tenant, { times: 1, then: { [fault]: true } });
    const message = await untilStatus(tenant, await post(tenant), "read");
    const [call, ...more] = await callsOf(platform, tenant);
    assert.deepEqual([call?.wamid, more], [message.wamid, []]);
    assert.deepEqual(outcomesOf(message), ["unknown"]);
  }));

// The one test that waits for our own timeout of 10 s, with all that may lie behind it.
Deno.test("a call that hangs is given up: what Meta took is settled by the status, what it did not is sent again", () =>
  forEach(["accept_then_hang", "hang", "drop_before"], async (fault) => {
    const tenant = await platform.createTenant();
    await misbehave(tenant, { times: 1, then: { [fault]: true } });
    const id = await post(tenant);
    const isOver = await untilMessage(
      tenant,
      id,
      ({ attempts }) => attempts[0]?.outcome === "unknown",
    );
    const wasTaken = fault === "accept_then_hang";
    assert.equal(isOver.status, wasTaken ? "read" : "outcome_unknown");
    await using database = openPlatformDatabase(platform);
    await endGrace(database.sql, tenant.id);
    const outcomes = outcomesOf(await untilStatus(tenant, id, "read"));
    assert.deepEqual(outcomes, wasTaken ? ["unknown"] : ["unknown", "accepted"]);
    assert.deepEqual(await acceptedIds(platform, tenant), [id]);
  }));

Deno.test("any number of drains at once send each message once", async () => {
  const tenant = await platform.createTenant({ throughput_per_second: 1_000 });
  await misbehave(tenant, { then: { late_answer_ms: 100 } });
  const ids = await postToMany(tenant, 100);
  const drains = await Promise.all(
    Array.from({ length: 12 }, () => platform.api("/wa-sender", { method: "POST" })),
  );
  assert.deepEqual(new Set(drains.map(({ status }) => status)), new Set([200]));
  await callsOf(platform, tenant, 100);
  await untilNothingIsSending(platform, tenant);
  assert.deepEqual((await callsOf(platform, tenant)).map(messageIdOf).toSorted(), ids.toSorted());
});

Deno.test("messages wait while a token has expired, and each goes once with the new one", async () => {
  const tenant = await platform.createTenant({ throughput_per_second: 1_000 });
  await untilStatus(tenant, await post(tenant), "read");
  await platform.simulator.putNumber(tenant.phoneNumberId, { access_tokens: ["rotated"] });
  const ids = await postToMany(tenant, 30);
  await using database = openPlatformDatabase(platform);
  const senderStatus = () =>
    database.sql<{ status: string }[]>`
      select status from switchyard.senders where tenant_id = ${tenant.id}`;
  await eventually(() => senderStatus(), ([sender]) => sender?.status === "paused");
  ids.push(await post(tenant));

  await rotate(tenant, "rotated");
  const rotatedAt = Date.now();
  await callsOf(platform, tenant, 1 + 31);
  await Promise.all(ids.map((id) => untilStatus(tenant, id, "read")));
  assert.deepEqual((await acceptedIds(platform, tenant)).slice(1).toSorted(), ids.toSorted());
  const late = (await callsOf(platform, tenant)).filter(({ at, access_token }) =>
    access_token !== "rotated" && at > rotatedAt
  );
  assert.deepEqual(late, []);
});

Deno.test("an expired token stops its sender and none of the tenant's others", async () => {
  const tenant = await platform.createTenant({ throughput_per_second: 1_000 });
  const from = `9${tenant.phoneNumberId}`;
  const added = await platform.api(`/admin/tenants/${tenant.id}/senders`, {
    body: {
      phone_number_id: from,
      business_account_id: tenant.businessAccountId,
      display_phone_number: "+1 555 010 9999",
      access_token: "other",
    },
  });
  assert.equal(added.status, 201, added.text);
  await platform.simulator.putNumber(from, { access_tokens: ["other"] });
  await platform.simulator.putNumber(tenant.phoneNumberId, { access_tokens: ["rotated"] });
  const [held] = await postToMany(tenant, 30);
  await callsOf(platform, tenant, 5);
  await untilStatus(tenant, await post(tenant, { from }), "read");
  assert.equal((await readMessage(tenant, held!)).status, "queued");
});
