import { Hono } from "hono";
import type { CallRpc } from "../_shared/database.ts";
import { actorOf, admitToTenant } from "../_shared/http/admission.ts";
import type { Identify } from "../_shared/http/caller.ts";
import type { Handler } from "../_shared/http/serve.ts";
import { parseAccount, parseShownHold } from "../_shared/wallet/outcomes.ts";
import * as answers from "./answers.ts";
import { createPlaceWalletHold } from "./hold_groups.ts";
import { captureHold, createPlaceHold, releaseHold, tellHold } from "./hold_operations.ts";
import { openAccount, topUpAccount, transferFunds, transferLinkedFunds } from "./operations.ts";
import type { Operation } from "./operations.ts";
import { perform } from "./perform.ts";
import type { Admission } from "./perform.ts";
import { createProviderWebhook } from "./providers.ts";
import type { ProviderDeps } from "./providers.ts";
import { addRules } from "./rules.ts";
import { readStatement } from "./statements.ts";

const { UUID_PATTERN } = answers;
const STRIPE_PATH = "/wallet/providers/stripe";

export interface WalletDeps extends ProviderDeps {
  identify: Identify;
  /** Counts, in its own time, a key that was refused before the ledger saw it. */
  countKeyError: () => void;
  /** Whether tenants may credit themselves, or the operator and its payment provider alone. */
  tenantsMayTopUp: boolean;
}

type Fields = Record<string, unknown>;

/** The wallet: changes under an idempotency key, each made once, and a look at an account. */
export function createHandler(deps: WalletDeps): Handler {
  const { identify, countKeyError, tenantsMayTopUp } = deps;
  const routes = createRoutes(deps.call);
  const hearStripe = createProviderWebhook(deps);
  return async (request, context) => {
    if (new URL(request.url).pathname === STRIPE_PATH) return await hearStripe(request, context);
    const admitted = await admitToTenant(identify, request, "use_wallet");
    if (!admitted.ok) return admitted.response;
    const { tenantId, caller } = admitted;
    return await routes.fetch(request, {
      tenantId,
      actor: actorOf(caller),
      log: context.log,
      countKeyError,
      mayTopUp: tenantsMayTopUp || caller.kind === "secret",
    });
  };
}

function createRoutes(call: CallRpc): Hono<{ Bindings: Admission }> {
  const routes = new Hono<{ Bindings: Admission }>({ strict: false }).basePath("/wallet");
  const post = <R extends Fields, D extends { outcome: "completed" }>(
    path: string,
    operation: Operation<R, D>,
  ) => routes.post(path, (c) => perform(call, operation, c.req.raw, c.env, {}));

  post("/accounts", openAccount);
  post("/transfer", transferFunds);
  post("/transfers", transferLinkedFunds);
  routes.post(
    "/topups",
    (c) =>
      c.env.mayTopUp
        ? perform(call, topUpAccount, c.req.raw, c.env, {})
        : answers.topUpNotAllowed(),
  );
  post("/holds", createPlaceHold(createPlaceWalletHold(call)));
  routes.post(
    `/holds/:holdId{${UUID_PATTERN}}/capture`,
    (c) => perform(call, captureHold, c.req.raw, c.env, c.req.param()),
  );
  routes.post(
    `/holds/:holdId{${UUID_PATTERN}}/release`,
    (c) => perform(call, releaseHold, c.req.raw, c.env, c.req.param()),
  );
  routes.get(`/holds/:id{${UUID_PATTERN}}`, async (c) => {
    const args = { tenant_id: c.env.tenantId, hold_id: c.req.param("id") };
    const hold = parseShownHold(await call("get_wallet_hold", args));
    return hold.outcome === "found"
      ? answers.answerJson(200, tellHold(hold))
      : answers.unknownHold();
  });
  routes.get(`/accounts/:id{${UUID_PATTERN}}`, async (c) => {
    const args = { tenant_id: c.env.tenantId, account_id: c.req.param("id") };
    const account = parseAccount(await call("get_wallet_account", args));
    return account.outcome === "found" ? answers.tellAccount(account) : answers.unknownAccount();
  });
  routes.get("/accounts/:id", answers.unknownAccount);

  routes.get(`/accounts/:id{${UUID_PATTERN}}/statement`, (c) => {
    const args = { tenant_id: c.env.tenantId, account_id: c.req.param("id") };
    return readStatement(call, args, c.req.query());
  });
  routes.get("/accounts/:id/statement", answers.unknownAccount);
  addRules(routes, call);
  routes.get("/holds/:id", answers.unknownHold);
  routes.post("/holds/:id/capture", answers.unknownHold);
  routes.post("/holds/:id/release", answers.unknownHold);

  routes.all("/accounts/:id", () => answers.wrongMethod("GET"));
  routes.all("/accounts/:id/statement", () => answers.wrongMethod("GET"));
  routes.all("/holds/:id", () => answers.wrongMethod("GET"));
  const changes = ["/accounts", "/transfer", "/transfers", "/topups", "/holds"];
  for (const path of [...changes, "/holds/:id/capture", "/holds/:id/release"]) {
    routes.all(path, () => answers.wrongMethod("POST"));
  }
  routes.notFound(answers.noSuchAddress);
  // Hono would answer for itself: what broke belongs to the wrapper outside.
  routes.onError((error) => {
    throw error;
  });
  return routes;
}
