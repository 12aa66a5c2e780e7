import type { JSONValue } from "postgres";
import { digestRequest } from "../../supabase/functions/_shared/canonical_json.ts";
import type { Sql } from "./database.ts";
import { walletOf, type WalletOutcome } from "./wallet.ts";
import type { WalletModel } from "./wallet_model.ts";
import { ACCOUNTS, type Asked, type Scene, type Step, timeOf } from "./wallet_steps.ts";

/** What came of a step: the outcome as the model says it, and the holds that it placed. */
export interface Answer {
  outcome: string;
  placed: string[];
}

/** Asks it of the wallet, over a connection of the role that may. */
export async function perform(
  sql: Sql,
  scene: Scene,
  { step, key, holdId }: Asked,
): Promise<Answer> {
  const { tenantId, accounts } = scene;
  const wallet = walletOf(sql, tenantId);
  const at = timeOf(scene, scene.minutes);
  switch (step.kind) {
    case "top_up":
      return tell(
        await wallet.topUp(accounts[step.account]!, {
          key,
          payment_id: `own ${step.payment}`,
          amount_micros: step.amount,
        }),
      );
    case "credit":
    case "refund":
      return tell(await notify(sql, scene, key, step));
    case "transfer": {
      const { amount: amount_micros } = step;
      const [from, to] = [accounts[step.account]!, accounts[step.other]!];
      return tell(await wallet.transfer(from, to, { key, amount_micros, at }));
    }
    case "link":
      return tell(await link(sql, scene, key, step.legs));
    case "hold": {
      const [{ account, amount: amount_micros, minutes }] = step.holds as [typeof step.holds[0]];
      const expires_at = minutes === null ? null : timeOf(scene, scene.minutes + minutes);
      return tell(await wallet.hold(accounts[account!]!, { key, amount_micros, expires_at, at }));
    }
    case "holds":
      return await placeMany(sql, scene, key, step.holds);
    case "capture":
      return tell(await wallet.capture(holdId, step.amount, { key, at }));
    case "charge":
      return tell(await charge(sql, holdId, step, at));
    case "release":
      return tell(await wallet.release(holdId, { key, at }));
    case "expire":
      return told((await sql`select switchyard.expire_holds(${at}, 1000) as n`)[0]!.n);
    case "repay":
      return told((await sql`select switchyard.repay_debts(1000) as n`)[0]!.n);
  }
}

/** Does it to the model; `placed` are the holds that the wallet placed for it. */
export function performOnModel(model: WalletModel, asked: Asked, placed: string[]): string {
  const { step, key, holdId } = asked;
  switch (step.kind) {
    case "top_up":
      return model.once(key, () => model.credit(`own ${step.payment}`, step.account, step.amount));
    case "credit":
      return notified(model.once(key, () => {
        const outcome = model.credit(step.payment, step.account, step.amount);
        if (outcome === "completed") model.followPayment(step.payment);
        return outcome;
      }));
    case "refund":
      return notified(model.once(key, () => model.refund(key, step.payment, step.amount)));
    case "transfer":
      return model.once(key, () => model.transfer(step.account, step.other, step.amount));
    case "link":
      return model.once(key, () => model.link(step.legs));
    case "hold":
    case "holds":
      return step.holds.map(({ account, amount, minutes }, index) =>
        model.once(
          keyOf(key, step, index),
          () => model.place(placed[index] ?? "", account, amount, minutes),
        )
      ).join();
    case "capture":
      return model.once(key, () => model.capture(holdId, step.amount));
    case "charge":
      return model.charge(holdId, step.amount, `r${step.reference}`);
    case "release":
      return model.once(key, () => model.release(holdId));
    case "expire": {
      const due = model.due();
      for (const id of due) model.expire(id);
      return String(due.length);
    }
    case "repay":
      for (let nth = 0; nth < ACCOUNTS; nth++) model.repayFrom(nth);
      return "";
  }
}

function tell(returned: WalletOutcome): Answer {
  const first = returned.outcome === "replayed" ? returned.answer as WalletOutcome : returned;
  const outcome = first === undefined || first === returned
    ? returned.outcome
    : `replayed ${first.outcome}`;
  return { outcome, placed: [first?.id ?? ""] };
}

function told(outcome: unknown): Answer {
  return { outcome: String(outcome), placed: [] };
}

// A provider is told that its notice came before, not what came of it.
function notified(outcome: string): string {
  return outcome.replace(/^replayed .*/, "replayed");
}

function keyOf(key: string, step: Step, index: number): string {
  return step.kind === "holds" ? `${key} ${index}` : key;
}

async function notify(
  sql: Sql,
  scene: Scene,
  key: string,
  step: Extract<Step, { kind: "credit" | "refund" }>,
): Promise<WalletOutcome> {
  const event = {
    event_id: `${scene.tenantId} ${key}`,
    action: step.kind,
    payment_id: `${scene.tenantId} ${step.payment}`,
    account_id: step.kind === "credit" ? scene.accounts[step.account]! : null,
    amount_micros: String(step.amount),
    currency: "USD",
    occurred_at: timeOf(scene, 0),
  };
  const [row] = await sql<{ returned: WalletOutcome }[]>`
    select switchyard_api.apply_provider_event('stripe', ${sql.json(event)}) as returned`;
  return row!.returned;
}

async function link(
  sql: Sql,
  scene: Scene,
  key: string,
  legs: { account: number; other: number; amount: number }[],
): Promise<WalletOutcome> {
  const transfers = legs.map((leg) => ({
    source_account_id: scene.accounts[leg.account]!,
    destination_account_id: scene.accounts[leg.other]!,
    amount_micros: String(leg.amount),
    currency: "USD",
  }));
  const idempotency = { key, ...digestRequest({ transfers }) };
  const [row] = await sql<{ returned: WalletOutcome }[]>`
    select switchyard_api.transfer_linked_funds(${scene.tenantId}, ${sql.json(transfers)},
      ${sql.json(idempotency)}, '{}') as returned`;
  return row!.returned;
}

async function placeMany(
  sql: Sql,
  scene: Scene,
  key: string,
  wanted: { account: number; amount: number; minutes: number | null }[],
): Promise<Answer> {
  const holds = wanted.map(({ account, amount, minutes }, index) => {
    const hold: Record<string, JSONValue> = {
      account_id: scene.accounts[account]!,
      amount_micros: String(amount),
      currency: "USD",
      expires_at: minutes === null ? null : timeOf(scene, scene.minutes + minutes),
    };
    return { index, key: `${key} ${index}`, ...hold, ...digestRequest(hold) };
  });
  const rows = await sql<{ answer: WalletOutcome }[]>`
    select answer from switchyard_api.place_wallet_holds(${scene.tenantId},
      ${sql.json(holds)}, '{}', ${timeOf(scene, scene.minutes)}) order by index`;
  const answers = rows.map(({ answer }) => tell(answer));
  return {
    outcome: answers.map(({ outcome }) => outcome).join(),
    placed: answers.flatMap(({ placed }) => placed),
  };
}

async function charge(
  sql: Sql,
  hold_id: string,
  { amount, reference }: { amount: number; reference: number },
  at: string,
): Promise<WalletOutcome> {
  const asked = {
    index: 0,
    hold_id,
    action: "capture",
    amount_micros: amount,
    reference: `r${reference}`,
    even_late: true,
  };
  const [row] = await sql<{ answer: WalletOutcome }[]>`
    select answer from switchyard.resolve_holds(${sql.json([asked])}, '{}', ${at})`;
  return row!.answer;
}
