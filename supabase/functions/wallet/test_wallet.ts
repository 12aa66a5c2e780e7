import type { CallRpc } from "../_shared/database.ts";
import type { Caller } from "../_shared/http/caller.ts";
import { serve } from "../_shared/http/serve.ts";
import { createLog } from "../_shared/telemetry/log.ts";
import { createHandler } from "./wallet.ts";

export const tenantId = "11111111-1111-4111-8111-111111111111";
export const source = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa";
export const destination = "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb";
export const key = "550e8400-e29b-41d4-a716-446655440000";
export const finance: Caller = { kind: "tenant", tenantId, role: "finance", keyId: "key-1" };

export const validTransfer = {
  sourceAccountId: source,
  destinationAccountId: destination,
  amount: 100,
  currency: "USD",
};
export const validTopUp = {
  accountId: source,
  amount: 5_000,
  currency: "USD",
  paymentId: "pi_123",
};
export const moved = {
  outcome: "completed",
  id: "transfer-1",
  source_account_id: source,
  destination_account_id: destination,
  amount_micros: "1000000",
  currency: "USD",
};
export const movedBody =
  `{"id":"transfer-1","status":"completed","sourceAccountId":"${source}","destinationAccountId":"${destination}","amount":100,"currency":"USD"}`;

/** The function with a database that returns the same to every call, and what was asked of it. */
export function setup(
  { caller = finance, returns = moved as unknown, tenantsMayTopUp = true } = {},
) {
  const calls: { name: string; args: Record<string, unknown> }[] = [];
  const lines: string[] = [];
  const call = ((name: string, args: Record<string, unknown>) => {
    calls.push({ name, args });
    return returns instanceof Error ? Promise.reject(returns) : Promise.resolve(returns);
  }) as unknown as CallRpc;
  const identify = () => Promise.resolve({ ok: true as const, caller });
  const log = createLog({ write: (line) => lines.push(line), now: () => 0, fields: {} });
  let keyErrors = 0;
  const countKeyError = () => void keyErrors++;
  const handler = createHandler({
    call,
    identify,
    countKeyError,
    tenantsMayTopUp,
    verifyStripe: null,
    now: () => 0,
  });
  const answer = serve("wallet", handler, { log, now: () => 0 });
  const ask = (method: string, path: string, body?: unknown, headers: HeadersInit = {}) =>
    answer(
      new Request(`http://localhost/wallet${path}`, {
        method,
        headers: { "idempotency-key": key, ...headers },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
    );
  const logged = () => lines.map((line): Record<string, unknown> => JSON.parse(line));
  return { ask, calls, logged, answer, keyErrors: () => keyErrors };
}
