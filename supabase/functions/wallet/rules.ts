import type { Hono } from "hono";
import * as z from "zod";
import type { CallRpc } from "../_shared/database.ts";
import type { Json } from "../_shared/database_types.ts";
import { MAX_AMOUNT_MICROS, minorToMicros } from "../_shared/wallet/money.ts";
import { parseRules, tellRules } from "../_shared/wallet/rules.ts";
import * as answers from "./answers.ts";
import { readBody } from "./perform.ts";
import type { Admission } from "./perform.ts";
import { parseRequest } from "./requests.ts";

const MAX_ASKED_PER_DAY = 24;
const MIN_COOL_DOWN_SECONDS = 60;
const MAX_COOL_DOWN_SECONDS = 86_400;

const hint = "must be an integer of minor units, such as 100 for 1.00 USD";
const amount = z.int(hint).nonnegative("must not be negative");
const positive = z.int(hint).positive("must be more than zero");

const alerts = z.strictObject({
  low_below: amount.nullable(),
  recovered_above: amount.nullable(),
}).refine(({ low_below, recovered_above }) => (low_below === null) === (recovered_above === null), {
  path: ["recovered_above"],
  error: "must be null with low_below, and not without it",
}).refine(
  ({ low_below, recovered_above }) =>
    low_below === null || recovered_above === null || recovered_above >= low_below,
  { path: ["recovered_above"], error: "must not be less than low_below" },
);

const limits = z.strictObject({ spend_per_day: amount.nullable() });

const topUp = z.strictObject({
  below: amount,
  amount: positive,
  max_per_day: z.int().min(1).max(MAX_ASKED_PER_DAY).default(3),
  cool_down_seconds: z.int().min(MIN_COOL_DOWN_SECONDS).max(MAX_COOL_DOWN_SECONDS).default(3_600),
});

/** One address of an account's rules: what it takes, and what that is in the ledger's units. */
interface RuleKind<Request> {
  request: z.ZodType<Request>;
  toRules(request: Request, micros: (minor: number) => string): Record<string, Json>;
}

const ALERTS: RuleKind<z.output<typeof alerts>> = {
  request: alerts,
  toRules: ({ low_below, recovered_above }, micros) => ({
    low_below_micros: low_below === null ? null : micros(low_below),
    recovered_above_micros: recovered_above === null ? null : micros(recovered_above),
  }),
};

const LIMITS: RuleKind<z.output<typeof limits>> = {
  request: limits,
  toRules: ({ spend_per_day }, micros) => ({
    day_limit_micros: spend_per_day === null ? null : micros(spend_per_day),
  }),
};

const TOP_UP: RuleKind<z.output<typeof topUp>> = {
  request: topUp,
  toRules: ({ below, amount, ...guards }, micros) => ({
    top_up: { below_micros: micros(below), amount_micros: micros(amount), ...guards },
  }),
};

/** Adds the addresses at which an account's rules are seen and set; PUT twice is PUT once. */
export function addRules(routes: Hono<{ Bindings: Admission }>, call: CallRpc): void {
  const show = async (tenant_id: string, account_id: string) => {
    const found = parseRules(await call("get_wallet_rules", { tenant_id, account_id }));
    return found.outcome === "found"
      ? answers.answerJson(200, tellRules(found))
      : answers.unknownAccount();
  };
  const put = <Request>(path: string, kind: RuleKind<Request>) => {
    routes.put(
      `/accounts/:id{${answers.UUID_PATTERN}}/${path}`,
      (c) => change(call, kind, c.env, c.req.param("id"), c.req.raw),
    );
    routes.put(`/accounts/:id/${path}`, answers.unknownAccount);
  };

  put("alerts", ALERTS);
  put("limits", LIMITS);
  put("top-up", TOP_UP);
  routes.delete(
    `/accounts/:id{${answers.UUID_PATTERN}}/top-up`,
    (c) => set(call, c.env, c.req.param("id"), { top_up: null }),
  );
  routes.get(
    `/accounts/:id{${answers.UUID_PATTERN}}/rules`,
    (c) => show(c.env.tenantId, c.req.param("id")),
  );
  routes.get("/accounts/:id/rules", answers.unknownAccount);
  routes.all("/accounts/:id/rules", () => answers.wrongMethod("GET"));
  routes.all("/accounts/:id/alerts", () => answers.wrongMethod("PUT"));
  routes.all("/accounts/:id/limits", () => answers.wrongMethod("PUT"));
  routes.all("/accounts/:id/top-up", () => answers.wrongMethod("PUT, DELETE"));
}

async function change<Request>(
  call: CallRpc,
  kind: RuleKind<Request>,
  admission: Admission,
  account_id: string,
  request: globalThis.Request,
): Promise<Response> {
  const body = await readBody(request, kind.request);
  if (!body.ok) return body.response;
  const parsed = parseRequest(kind.request, body.value);
  if (!parsed.ok) return answers.refuseRequest(parsed.errors);

  const { tenantId: tenant_id } = admission;
  const found = parseRules(await call("get_wallet_rules", { tenant_id, account_id }));
  if (found.outcome === "unknown_account") return answers.unknownAccount();
  const rules = kind.toRules(parsed.value, (minor) => String(minorToMicros(minor, found.currency)));
  return isWithinBounds(rules)
    ? await set(call, admission, account_id, rules)
    : answers.refuseRequest([{ pointer: "", detail: "has an amount that no account can have" }]);
}

async function set(
  call: CallRpc,
  { tenantId, actor }: Admission,
  account_id: string,
  rules: Record<string, Json>,
): Promise<Response> {
  const found = parseRules(
    await call("set_wallet_rules", { tenant_id: tenantId, account_id, rules, actor }),
  );
  return found.outcome === "found"
    ? answers.answerJson(200, tellRules(found))
    : answers.unknownAccount();
}

function isWithinBounds(rules: Record<string, unknown>): boolean {
  return Object.entries(rules).every(([name, value]) => {
    if (value !== null && typeof value === "object") {
      return isWithinBounds(value as Record<string, unknown>);
    }
    return value === null || !name.endsWith("_micros") ||
      BigInt(String(value)) <= MAX_AMOUNT_MICROS;
  });
}
