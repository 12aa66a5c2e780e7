import { strict as assert } from "node:assert";
import { eventually } from "../support/eventually.ts";
import { aPhoneNumber, connectPlatform } from "../support/platform.ts";

const platform = connectPlatform();

interface MessageView {
  status: string;
  wamid: string | null;
  attempts: { outcome?: string }[];
}

Deno.test("a customer's message is marked as read while the answer is being typed, in its turn", async () => {
  const tenant = await platform.createTenant();
  const to = aPhoneNumber();
  const message_id = await platform.simulator.receiveFromCustomer({
    phone_number_id: tenant.phoneNumberId,
    from: to.slice(1),
    type: "text",
    text: { body: "Are you there?" },
  });

  const read = { message_id, typing_indicator: { type: "text" } };
  const receipt = await tenant.send({ to, type: "read", read, text: undefined });
  assert.equal(receipt.status, 202, receipt.text);
  const answered = await tenant.send({ to });
  assert.equal(answered.status, 202, answered.text);

  const calls = await platform.simulator.received(
    { phone_number_id: tenant.phoneNumberId },
    { waitFor: 2 },
  );
  assert.deepEqual(calls.map(({ outcome }) => outcome), ["accepted", "accepted"]);
  assert.deepEqual(calls[0]!.body, { messaging_product: "whatsapp", status: "read", ...read });
  assert.equal((calls[1]!.body as { type: string }).type, "text");

  const { id } = receipt.json<{ id: string }>();
  const seen = await eventually(
    async () => (await tenant.api(`/wa-messages/${id}`)).json<MessageView>(),
    ({ status }) => status === "sent",
  );
  assert.equal(seen.wamid, null);
  assert.deepEqual(seen.attempts.map(({ outcome }) => outcome), ["accepted"]);
});

Deno.test("a read receipt without the message that was read is refused where it is wrong", async () => {
  const tenant = await platform.createTenant();
  const answer = await tenant.send({ to: aPhoneNumber(), type: "read", read: {}, text: undefined });
  assert.equal(answer.status, 422, answer.text);
  const { errors } = answer.json<{ errors: { pointer: string }[] }>();
  assert.deepEqual(errors.map(({ pointer }) => pointer), ["/read/message_id"]);
});
