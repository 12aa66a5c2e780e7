import { Hono } from "hono";
import type { CredentialCounters } from "../_shared/credentials/counters.ts";
import { admit } from "../_shared/http/admission.ts";
import type { Identify } from "../_shared/http/caller.ts";
import { problem } from "../_shared/http/problem.ts";
import type { Handler } from "../_shared/http/serve.ts";
import type { BreakerStatistics } from "../_shared/resilience/breaker_statistics.ts";
import { METRICS_CONTENT_TYPE, metricsText } from "./metrics.ts";
import type { Probes } from "./probes.ts";
import { credentialReport, detailedReport, statusOf } from "./report.ts";
import type { CredentialsSeen } from "./report.ts";

export interface HealthDeps {
  identify: Identify;
  probes: Probes;
  /** Null when nobody counts them: no Redis, or it does not answer. */
  readCounters: () => Promise<CredentialCounters | null>;
  /** Whether some isolate's breaker before the database is open; null when nobody can tell. */
  readBreaker: () => Promise<boolean | null>;
  /** The breakers in use; null when nobody can tell. */
  listBreakers: () => Promise<BreakerStatistics[] | null>;
  /** Which environment variables are set, by name. */
  configured: Record<string, boolean>;
}

/**
 * Four addresses. The public one says ok, degraded or down and nothing more; the others are for
 * secret callers. Every dependency is probed under its own deadline.
 */
export function createHandler(deps: HealthDeps): Handler {
  const routes = createRoutes(deps);
  return async (request) => await routes.fetch(request);
}

function createRoutes(deps: HealthDeps): Hono {
  const { probes } = deps;
  const routes = new Hono({ strict: false }).basePath("/health");

  routes.get("/", async () => {
    const status = statusOf(...await Promise.all([probes.database(), probes.redis()]));
    return Response.json({ status }, { status: status === "down" ? 503 : 200 });
  });
  routes.get(
    "/credentials",
    guarded(deps.identify, async () => {
      return Response.json(credentialReport(await seeAll(deps)));
    }),
  );
  routes.get(
    "/detailed",
    guarded(deps.identify, async () => {
      const [seen, breakers] = await Promise.all([seeAll(deps), deps.listBreakers()]);
      const { database, redis, configured } = seen;
      const credentials = credentialReport(seen);
      const report = detailedReport(database, redis, configured, credentials, breakers);
      return Response.json(report, { status: report.status === "down" ? 503 : 200 });
    }),
  );
  routes.get(
    "/metrics",
    guarded(deps.identify, async () => {
      const { database, redis, counters } = await seeAll(deps);
      const text = metricsText(database, redis, counters);
      return new Response(text, { headers: { "content-type": METRICS_CONTENT_TYPE } });
    }),
  );

  routes.on(
    ["POST", "PUT", "PATCH", "DELETE"],
    "*",
    () => problem(405, "method_not_allowed", "Health is only read.", { headers: { allow: "GET" } }),
  );
  routes.notFound(() =>
    problem(
      404,
      "not_found",
      "Health has /health, /health/credentials, /health/detailed and /health/metrics.",
    )
  );
  routes.onError((error) => {
    throw error;
  });
  return routes;
}

function guarded(identify: Identify, answer: () => Promise<Response>) {
  return async (context: { req: { raw: Request } }): Promise<Response> => {
    const admitted = await admit(identify, context.req.raw, "run_platform");
    return admitted.ok ? await answer() : admitted.response;
  };
}

async function seeAll(
  { probes, readCounters, readBreaker, configured }: HealthDeps,
): Promise<CredentialsSeen> {
  const [database, redis, counters, isBreakerOpen] = await Promise.all([
    probes.database(),
    probes.redis(),
    readCounters(),
    readBreaker(),
  ]);
  return { database, redis, counters, isBreakerOpen, configured };
}
