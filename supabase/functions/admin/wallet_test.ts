import { strict as assert } from "node:assert";
import { createLog } from "../_shared/telemetry/log.ts";
import { answerCalls } from "../_shared/test_database.ts";
import type { Command } from "./command.ts";
import { verifyWallet } from "./wallet.ts";

function ask(body: unknown) {
  const { call, calls } = answerCalls({ verify_wallet: { outcome: "verified", broken: [] } });
  const request = new Request("http://localhost/admin/wallet/verify", {
    method: "POST",
    body: JSON.stringify(body),
  });
  const log = createLog({ write: () => {}, now: () => 0, fields: {} });
  return { answer: verifyWallet({ call, request, log } as Command), calls };
}

Deno.test("the proof begins at the first checkpoint and goes on after the one named", async () => {
  const first = ask({});
  assert.deepEqual(await (await first.answer).json(), { outcome: "verified", broken: [] });
  const next = ask({ after: 100, limit: 1_000 });
  await next.answer;
  assert.deepEqual([...first.calls, ...next.calls], [
    { name: "verify_wallet", args: { after_id: 0, checkpoint_limit: 100 } },
    { name: "verify_wallet", args: { after_id: 100, checkpoint_limit: 1_000 } },
  ]);
});

for (const body of [{ after: -1 }, { limit: 0 }, { limit: 1_001 }, { after: "1" }, { from: 1 }]) {
  Deno.test(`a proof of ${JSON.stringify(body)} is refused and reads nothing`, async () => {
    const { answer, calls } = ask(body);
    assert.equal((await answer).status, 422);
    assert.deepEqual(calls, []);
  });
}
