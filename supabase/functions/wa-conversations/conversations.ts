import type { CallRpc } from "../_shared/database.ts";
import { admitToTenant } from "../_shared/http/admission.ts";
import type { Identify } from "../_shared/http/caller.ts";
import { createDrainEndpoint } from "../_shared/http/drain_endpoint.ts";
import { createRouter, route } from "../_shared/http/router.ts";
import type { Route } from "../_shared/http/router.ts";
import type { Handler } from "../_shared/http/serve.ts";
import { UUID } from "../_shared/uuid.ts";
import { openChangeStream } from "./change_stream.ts";
import type { ChangeStreamDeps } from "./change_stream.ts";
import type { KeepingReport } from "./keep_media.ts";
import { passMediaOn } from "./media.ts";
import type { MediaDeps } from "./media.ts";
import {
  getConversation,
  listConversations,
  listMessages,
  noSuchConversation,
} from "./stored_conversations.ts";

export interface ConversationsDeps extends ChangeStreamDeps, MediaDeps {
  call: CallRpc;
  identify: Identify;
  /** Fetches the files that tenants want kept. */
  keepMedia: () => Promise<KeepingReport>;
  /** The same, one at a time, for calls that do not wait. */
  keepMediaInBackground: () => Promise<KeepingReport>;
  keepAlive: (work: Promise<unknown>) => void;
}

type Answer = (tenantId: string, request: Request, id: string) => Promise<Response>;

/** Tells a tenant what its customers wrote, what they were sent, and until when they may be answered. */
export function createHandler(deps: ConversationsDeps): Handler {
  const { call, identify } = deps;
  const router = createRouter("wa-conversations");

  const forTenant = (answer: Answer): Route => async (c) => {
    const admitted = await admitToTenant(identify, c.req.raw, "read_conversations");
    if (!admitted.ok) return admitted.response;
    return await answer(admitted.tenantId, c.req.raw, c.req.param("id") ?? "");
  };
  const ofConversation = (answer: Answer): Route =>
    forTenant((tenantId, request, id) =>
      UUID.test(id) ? answer(tenantId, request, id) : Promise.resolve(noSuchConversation())
    );

  route(router, "/", {
    GET: forTenant((tenantId, request) => listConversations(call, tenantId, request)),
  });
  route(router, "/events", {
    GET: async (c) => {
      const admitted = await admitToTenant(identify, c.req.raw, "read_conversations");
      if (!admitted.ok) return admitted.response;
      return await openChangeStream(deps, admitted.tenantId, c.req.raw, c.env.log);
    },
  });
  const drainMedia = createDrainEndpoint({
    ...deps,
    drainNow: deps.keepMedia,
    drainInBackground: deps.keepMediaInBackground,
  });
  route(router, "/media", { POST: async (c) => await drainMedia(c.req.raw, c.env) });
  route(router, "/media/:id{\\d{1,15}}", {
    GET: forTenant((tenantId, _request, id) => passMediaOn(deps, tenantId, id)),
  });
  route(router, "/:id", {
    GET: ofConversation((tenantId, _request, id) => getConversation(call, tenantId, id)),
  });
  route(router, "/:id/messages", {
    GET: ofConversation((tenantId, request, id) => listMessages(call, tenantId, id, request)),
  });
  return (request, context) => router.fetch(request, context);
}
