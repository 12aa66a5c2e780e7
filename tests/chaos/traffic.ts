import type { Answer, Platform } from "../support/platform.ts";
import type { PlannedRequest } from "./plan.ts";
import type { ChaosTenant } from "./tenants.ts";

/** A message that was answered for: the id that the platform gave it. */
export interface PostedMessage {
  id: string;
  phoneNumberId: string;
  to: string;
  nth: number;
}

export interface Traffic {
  posted: PostedMessage[];
  /** Requests whose repetition was answered with other ids than they were. */
  wrongReplays: string[];
  repetitions: number;
  /** Requests that had to be made again, since they were refused for a while. */
  retried: number;
}

const TRIES = 20;
const WAIT_MS = 500;

/** Posts what the plan says: each tenant its requests in their order, all tenants at once. */
export async function postTraffic(
  platform: Platform,
  tenants: readonly ChaosTenant[],
): Promise<Traffic> {
  const traffic: Traffic = { posted: [], wrongReplays: [], repetitions: 0, retried: 0 };
  const startedAt = Date.now();
  const until = (afterMs: number) => sleep(startedAt + afterMs - Date.now());
  await Promise.all(tenants.flatMap((tenant) => [
    postRequests(platform, tenant, traffic, until),
    receiveInbound(platform, tenant, until),
  ]));
  return traffic;
}

async function postRequests(
  platform: Platform,
  tenant: ChaosTenant,
  traffic: Traffic,
  until: (afterMs: number) => Promise<void>,
): Promise<void> {
  for (const request of tenant.plan.requests) {
    await until(request.afterMs);
    const post = () => postUntilTaken(platform, tenant, request, traffic);
    const answers = request.repeated === "at_once"
      ? await Promise.all([post(), post()])
      : [await post()];
    if (request.repeated === "afterwards") answers.push(await post());
    const [ids = [], again = ids] = answers;
    if (answers.length > 1) traffic.repetitions++;
    if (again.join() !== ids.join()) traffic.wrongReplays.push(request.key);
    const { phoneNumberId } = tenant.plan;
    request.messages.forEach(({ to, nth }, index) =>
      traffic.posted.push({ id: ids[index] ?? "none", phoneNumberId, to, nth })
    );
  }
}

// As a careful caller does: the same request with the same key, until it is answered.
async function postUntilTaken(
  platform: Platform,
  tenant: ChaosTenant,
  request: PlannedRequest,
  traffic: Traffic,
): Promise<string[]> {
  for (let tries = 1;; tries++) {
    const answer = await post(platform, tenant, request);
    if (answer.status === 202) return idsOf(answer, request);
    if (![409, 429, 500, 502, 503, 504].includes(answer.status) || tries === TRIES) {
      throw new Error(`Cannot post ${request.key}: ${answer.status} ${answer.text}`);
    }
    traffic.retried++;
    await sleep(WAIT_MS);
  }
}

async function post(
  platform: Platform,
  { plan, apiKey }: ChaosTenant,
  { key, messages }: PlannedRequest,
): Promise<Answer> {
  const bodies = messages.map(({ to, lane, nth }) => ({
    from: plan.phoneNumberId,
    to,
    type: "text",
    text: { body: String(nth) },
    lane,
    on_unknown: "resend",
  }));
  const options = {
    caller: { kind: "tenant", apiKey } as const,
    headers: { "idempotency-key": key },
  };
  return bodies.length === 1
    ? await platform.api("/wa-messages", { ...options, body: bodies[0] })
    : await platform.api("/wa-messages/batch", { ...options, body: { messages: bodies } });
}

function idsOf(answer: Answer, { messages }: PlannedRequest): string[] {
  if (messages.length === 1) return [answer.json<{ id: string }>().id];
  const { accepted } = answer.json<{ accepted: { index: number; id: string }[] }>();
  return accepted.toSorted((a, b) => a.index - b.index).map(({ id }) => id);
}

async function receiveInbound(
  platform: Platform,
  { plan }: ChaosTenant,
  until: (afterMs: number) => Promise<void>,
): Promise<void> {
  for (const { afterMs, from, wamid } of plan.inbound.toSorted((a, b) => a.afterMs - b.afterMs)) {
    await until(afterMs);
    await platform.simulator.receiveFromCustomer({
      id: wamid,
      from,
      phone_number_id: plan.phoneNumberId,
      type: "text",
      text: { body: wamid },
    });
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
}
