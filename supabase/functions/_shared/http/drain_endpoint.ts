import { admit } from "./admission.ts";
import type { Identify } from "./caller.ts";
import { problem } from "./problem.ts";
import type { Handler } from "./serve.ts";

export interface DrainEndpointDeps<Report> {
  identify: Identify;
  /** Drains what is due now, beside any other drain. */
  drainNow: () => Promise<Report>;
  /** Drains and may stay for what is due soon; calls that come meanwhile share the next one. */
  drainInBackground: () => Promise<Report>;
  keepAlive: (work: Promise<unknown>) => void;
}

/**
 * POST drains a queue and answers with what came of it. With `Prefer: respond-async` (RFC 7240), as
 * the doorbell asks, it answers 202 at once and drains on: pg_net waits for the slowest of its calls.
 */
export function createDrainEndpoint<Report>(deps: DrainEndpointDeps<Report>): Handler {
  return async (request, { log }) => {
    if (request.method !== "POST") {
      return problem(405, "method_not_allowed", "Use POST to drain the queue.", {
        headers: { allow: "POST" },
      });
    }
    const admitted = await admit(deps.identify, request, "run_platform");
    if (!admitted.ok) return admitted.response;
    if (!request.headers.get("prefer")?.includes("respond-async")) {
      return Response.json(await deps.drainNow());
    }
    deps.keepAlive(deps.drainInBackground().catch((error) => log.error("drain.failed", { error })));
    return Response.json({ status: "draining" }, {
      status: 202,
      headers: { "preference-applied": "respond-async" },
    });
  };
}
