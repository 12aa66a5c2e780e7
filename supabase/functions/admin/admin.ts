import { actorOf, admit } from "../_shared/http/admission.ts";
import { problem } from "../_shared/http/problem.ts";
import type { Action } from "../_shared/http/roles.ts";
import { createRouter, route } from "../_shared/http/router.ts";
import type { Route, Router } from "../_shared/http/router.ts";
import type { Handler } from "../_shared/http/serve.ts";
import { UUID } from "../_shared/uuid.ts";
import { createApiKey, listApiKeys, revokeApiKey } from "./api_keys.ts";
import { listAttention, listSenders, listTemplates, resumeSender } from "./attention.ts";
import { listAudit } from "./audit.ts";
import { setBilling } from "./billing.ts";
import { setBot, tellConversation } from "./bots.ts";
import { isolateBreaker, listBreakers, resetBreaker } from "./breakers.ts";
import {
  createCallback,
  deleteCallback,
  listCallbacks,
  replayCallbacks,
  rotateCallbackSecret,
  updateCallback,
} from "./callbacks.ts";
import { clearCache, invalidateCache, tellCacheStatistics } from "./caches.ts";
import type { AdminDeps, Command } from "./command.ts";
import { listDeadLetters, redriveDeadLetters } from "./dead_letters.ts";
import { setMedia } from "./media.ts";
import { listMembers, removeMember, setMember } from "./members.ts";
import { compareMetaAnalytics } from "./meta_analytics.ts";
import { listQuarantine, replayQuarantine } from "./quarantine.ts";
import { importRateCard, listRates } from "./rate_cards.ts";
import { setRealtime } from "./realtime.ts";
import { addSender, changeSender, removeSender, rotateCredential } from "./senders.ts";
import { changeTenant, createTenant, listTenants, readTenant } from "./tenants.ts";
import { verifyWallet } from "./wallet.ts";

type Perform = (command: Command) => Promise<Response> | Response;
/** Lets in whose role names the action. */
type Gate = (action: Action, perform: Perform) => Route;

/** What operators and the owners of tenants do by hand; every change is in the audit log. */
export function createHandler(deps: AdminDeps): Handler {
  const router = createRouter("admin");

  const may: Gate = (action, perform) => async (c) => {
    const admitted = await admit(deps.identify, c.req.raw, action);
    if (!admitted.ok) return admitted.response;
    const { caller } = admitted;
    const actor = { ...actorOf(caller), request_id: c.env.requestId };
    const param = (name: string) => c.req.param(name) ?? "";
    return await perform({ ...deps, request: c.req.raw, caller, actor, param, log: c.env.log });
  };
  const mayInTenant: Gate = (action, perform) =>
    may(action, (command) => refuseOtherTenant(command) ?? perform(command));

  routePlatform(router, may);
  routeTenants(router, mayInTenant);
  return (request, context) => router.fetch(request, context);
}

function routePlatform(router: Router, may: Gate): void {
  route(router, "/tenants", {
    GET: may("run_platform", listTenants),
    POST: may("run_platform", createTenant),
  });
  route(router, "/rate-cards", {
    GET: may("read_settings", listRates),
    POST: may("run_platform", importRateCard),
  });
  route(router, "/wallet/verify", { POST: may("run_platform", verifyWallet) });
  route(router, "/wallet/meta-analytics", { POST: may("run_platform", compareMetaAnalytics) });
  route(router, "/cache/stats", { GET: may("run_platform", tellCacheStatistics) });
  route(router, "/cache/clear", { POST: may("run_platform", clearCache) });
  route(router, "/cache/invalidate", { POST: may("run_platform", invalidateCache) });
  route(router, "/breakers", { GET: may("run_platform", listBreakers) });
  route(router, "/breakers/:scope/reset", { POST: may("run_platform", resetBreaker) });
  route(router, "/breakers/:scope/isolate", { POST: may("run_platform", isolateBreaker) });
  route(router, "/attention", { GET: may("read_settings", listAttention) });
  route(router, "/audit", { GET: may("read_settings", listAudit) });
  route(router, "/dead-letters", { GET: may("read_settings", listDeadLetters) });
  route(router, "/dead-letters/redrive", { POST: may("change_settings", redriveDeadLetters) });
  route(router, "/quarantine", { GET: may("run_platform", listQuarantine) });
  route(router, "/quarantine/replay", { POST: may("run_platform", replayQuarantine) });
}

function routeTenants(router: Router, mayInTenant: Gate): void {
  route(router, "/tenants/:id", {
    GET: mayInTenant("read_settings", readTenant),
    PATCH: mayInTenant("run_platform", changeTenant),
  });
  route(router, "/tenants/:id/senders", {
    GET: mayInTenant("read_settings", listSenders),
    POST: mayInTenant("change_settings", addSender),
  });
  route(router, "/tenants/:id/senders/:phone_number_id", {
    PATCH: mayInTenant("change_settings", changeSender),
    DELETE: mayInTenant("change_settings", removeSender),
  });
  route(router, "/tenants/:id/realtime", { PUT: mayInTenant("change_settings", setRealtime) });
  route(router, "/tenants/:id/media", { PUT: mayInTenant("change_settings", setMedia) });
  route(router, "/tenants/:id/templates", { GET: mayInTenant("read_settings", listTemplates) });
  route(router, "/tenants/:id/senders/:phone_number_id/resume", {
    POST: mayInTenant("change_settings", resumeSender),
  });
  route(router, "/tenants/:id/senders/:phone_number_id/credential", {
    PUT: mayInTenant("change_settings", rotateCredential),
  });
  route(router, "/tenants/:id/api-keys", {
    GET: mayInTenant("read_settings", listApiKeys),
    POST: mayInTenant("change_settings", createApiKey),
  });
  route(router, "/tenants/:id/api-keys/:key_id", {
    DELETE: mayInTenant("change_settings", revokeApiKey),
  });
  route(router, "/tenants/:id/bot", { PUT: mayInTenant("change_settings", setBot) });
  route(router, "/tenants/:id/conversations/:conversation_id/events", {
    POST: mayInTenant("use_messages", tellConversation),
  });
  route(router, "/tenants/:id/members", {
    GET: mayInTenant("read_settings", listMembers),
    POST: mayInTenant("change_members", setMember),
  });
  route(router, "/tenants/:id/members/:user_id", {
    DELETE: mayInTenant("change_members", removeMember),
  });
  route(router, "/tenants/:id/billing", { PUT: mayInTenant("run_platform", setBilling) });
  route(router, "/tenants/:id/callbacks", {
    POST: mayInTenant("change_settings", createCallback),
    GET: mayInTenant("read_settings", listCallbacks),
  });
  route(router, "/tenants/:id/callbacks/:callback_id", {
    PATCH: mayInTenant("change_settings", updateCallback),
    DELETE: mayInTenant("change_settings", deleteCallback),
  });
  route(router, "/tenants/:id/callbacks/:callback_id/secret", {
    POST: mayInTenant("change_settings", rotateCallbackSecret),
  });
  route(router, "/tenants/:id/callbacks/:callback_id/replay", {
    POST: mayInTenant("change_settings", replayCallbacks),
  });
}

// Secret callers act for any tenant, everybody else for their own.
function refuseOtherTenant({ caller, param }: Command): Response | null {
  const tenantId = param("id");
  if (!UUID.test(tenantId)) return problem(404, "not_found", "There is no such tenant.");
  if (caller.kind === "secret" || caller.tenantId === tenantId.toLowerCase()) return null;
  return problem(403, "forbidden", "The caller belongs to another tenant.");
}
