import { strict as assert } from "node:assert";
import { eventually } from "../support/eventually.ts";
import { aPhoneNumber, connectPlatform } from "../support/platform.ts";

const platform = connectPlatform();

interface MessageView {
  status: string;
  wamid: string | null;
  attempts: { outcome?: string }[];
  timeline: { status: string }[];
}

Deno.test("a message posted reaches Meta once and comes back sent, delivered and read", async () => {
  const tenant = await platform.createTenant();
  const to = aPhoneNumber();

  const posted = await tenant.send({ to });
  assert.equal(posted.status, 202, posted.text);
  const { id, status, planned_send_at } = posted.json<Record<string, string>>();
  assert.equal(status, "queued");
  assert.ok(Date.parse(planned_send_at!) > 0);

  const read = await eventually(
    async () => (await tenant.api(`/wa-messages/${id}`)).json<MessageView>(),
    (message) => message.status === "read",
  );
  const calls = await platform.simulator.received({ phone_number_id: tenant.phoneNumberId });
  assert.deepEqual(calls.map((call) => call.outcome), ["accepted"]);
  assert.equal(calls[0]?.access_token, tenant.accessToken);
  assert.equal(read.wamid, calls[0]?.wamid);
  assert.deepEqual(read.attempts.map((attempt) => attempt.outcome), ["accepted"]);
  const steps = read.timeline.map((step) => step.status);
  for (const step of ["queued", "sending", "sent", "delivered", "read"]) {
    assert.ok(steps.includes(step), `${step} is missing in ${steps}`);
  }
});
