import { problem } from "../_shared/http/problem.ts";
import { isScope } from "../_shared/resilience/breaker_scopes.ts";
import type { BreakerStatistics } from "../_shared/resilience/breaker_statistics.ts";
import type { BreakerConsole, Command } from "./command.ts";

type Asked<Value> = { ok: true; value: Value } | { ok: false; response: Response };

const RETRY_AFTER_SECONDS = 5;
/** Of 5,000 messages each: what waits beyond it goes at the moment that the breaker had named. */
const MAX_RELEASES = 40;

/** Tells the breakers in use, the troubled ones first. */
export async function listBreakers(command: Command): Promise<Response> {
  const listed = await ask(command, (breakers) => breakers.list());
  return listed.ok ? Response.json({ breakers: listed.value }) : listed.response;
}

/**
 * Closes a breaker, as after its cause was put right or a mistaken isolation. What it held back is due
 * at once; whoever was cut off repeats the call.
 */
export async function resetBreaker(command: Command): Promise<Response> {
  const answer = await change(command, "reset", (breakers, scope) => breakers.reset(scope));
  if (answer.ok) await releaseHeldMessages(command);
  return answer;
}

/** Holds everything of a scope back until it is reset, whether it was ever heard of or not. */
export async function isolateBreaker(command: Command): Promise<Response> {
  return await change(command, "isolated", (breakers, scope) => breakers.isolate(scope));
}

async function change(
  command: Command,
  action: "reset" | "isolated",
  steer: (breakers: BreakerConsole, scope: string) => Promise<BreakerStatistics | null>,
): Promise<Response> {
  const { call, actor, param, log } = command;
  const scope = param("scope");
  if (!isScope(scope)) return noSuchBreaker();
  const steered = await ask(command, (breakers) => steer(breakers, scope));
  if (!steered.ok) return steered.response;
  if (steered.value === null) return noSuchBreaker();
  log.info(action === "reset" ? "breaker.reset" : "breaker.isolated", { scope });
  await call("note_breaker_change", { scope, action, actor });
  return Response.json(steered.value);
}

// In parts, so that no transaction is long however many wait.
async function releaseHeldMessages({ call, param }: Command): Promise<void> {
  for (let i = 0; i < MAX_RELEASES; i++) {
    const released = await call("release_held_messages", { scope: param("scope") });
    if (released === 0) return;
  }
}

async function ask<Value>(
  { breakers, log }: Command,
  question: (breakers: BreakerConsole) => Promise<Value>,
): Promise<Asked<Value>> {
  if (breakers === null) {
    const detail = "Breakers are shared through Redis, and none is configured here: " +
      "each isolate keeps its own and forgets it by itself.";
    return { ok: false, response: problem(503, "redis_not_configured", detail) };
  }
  try {
    return { ok: true, value: await question(breakers) };
  } catch (error) {
    log.warn("breakers.unreachable", { error });
    const headers = { "retry-after": String(RETRY_AFTER_SECONDS) };
    const detail = "Redis, which holds the breakers, does not answer. Nothing was changed, or it " +
      "may be repeated.";
    return { ok: false, response: problem(503, "redis_unavailable", detail, { headers }) };
  }
}

function noSuchBreaker(): Response {
  return problem(404, "not_found", "There is no such breaker: GET /admin/breakers lists them.");
}
