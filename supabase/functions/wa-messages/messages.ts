import type { CallRpc } from "../_shared/database.ts";
import { admitToTenant } from "../_shared/http/admission.ts";
import type { Identify } from "../_shared/http/caller.ts";
import { createRouter, route } from "../_shared/http/router.ts";
import type { Route } from "../_shared/http/router.ts";
import type { Handler } from "../_shared/http/serve.ts";
import { UUID } from "../_shared/uuid.ts";
import { createEnqueue } from "./acceptance.ts";
import { noSuchMessage } from "./answers.ts";
import { postBatch } from "./post_batch.ts";
import { postMessage } from "./post_message.ts";
import { cancelMessage, getMessage, listMessages } from "./stored_messages.ts";
import { createTenantGroups } from "./tenant_groups.ts";

export interface MessagesDeps {
  call: CallRpc;
  identify: Identify;
  now: () => number;
}

type Answer = (tenantId: string, request: Request, id: string) => Promise<Response>;

/** Takes messages for sending, tells what became of them, and withdraws what has not begun. */
export function createHandler({ call, identify, now }: MessagesDeps): Handler {
  const enqueue = createEnqueue(call);
  const enqueueBatch = {
    as_covered: enqueue,
    all_or_nothing: createEnqueue(call, "all_or_nothing"),
  };
  const submit = createTenantGroups(enqueue);
  const router = createRouter("wa-messages");

  const forTenant = (answer: Answer): Route => async (c) => {
    const admitted = await admitToTenant(identify, c.req.raw, "use_messages");
    if (!admitted.ok) return admitted.response;
    return await answer(admitted.tenantId, c.req.raw, c.req.param("id") ?? "");
  };
  const ofMessage = (answer: typeof getMessage): Route =>
    forTenant((tenantId, _request, id) =>
      UUID.test(id) ? answer(call, tenantId, id) : Promise.resolve(noSuchMessage())
    );

  route(router, "/", {
    GET: forTenant((tenantId, request) => listMessages(call, tenantId, request)),
    POST: forTenant((tenantId, request) => postMessage({ submit, now }, tenantId, request)),
  });
  route(router, "/batch", {
    POST: forTenant((tenantId, request) => postBatch({ enqueueBatch, now }, tenantId, request)),
  });
  route(router, "/:id", { GET: ofMessage(getMessage), DELETE: ofMessage(cancelMessage) });
  return (request, context) => router.fetch(request, context);
}
