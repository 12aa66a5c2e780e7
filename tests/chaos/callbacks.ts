import { startCallbackReceiver } from "../support/callback_receiver.ts";
import type { Platform } from "../support/platform.ts";
import type { ChaosTenant } from "./tenants.ts";

/** One callback as a tenant's server got it, its signature verified. */
export interface Arrival {
  phoneNumberId: string;
  /** The `webhook-id`. */
  id: string;
  type: string;
  data: Record<string, unknown>;
  body: string;
  /** Whether the server took it; it answers some with an error, to get them again. */
  taken: boolean;
}

/** The servers of the tenants that listen. */
export interface Listeners extends AsyncDisposable {
  /** In the order of arrival at each server. */
  arrivals(): Arrival[];
}

const EVENTS = ["message.status", "message.received"];
const REFUSED_EACH = 40;

/** Gives each tenant that listens a server, which refuses one callback in forty; for `await using`. */
export async function startListeners(
  platform: Platform,
  tenants: readonly ChaosTenant[],
): Promise<Listeners> {
  const listening = tenants.filter(({ plan }) => plan.listens)
    .map((tenant) => ({ tenant, receiver: startCallbackReceiver() }));
  for (const { tenant, receiver } of listening) {
    let count = 0;
    receiver.answer(() => ++count % REFUSED_EACH === 0 ? 500 : 204);
    const path = `/admin/tenants/${tenant.id}/callbacks`;
    const answer = await platform.api(path, { body: { url: receiver.url, events: EVENTS } });
    if (answer.status !== 201) throw new Error(`POST ${path}: ${answer.status} ${answer.text}`);
    receiver.trust(answer.json<{ secret: string }>().secret);
  }
  return {
    arrivals: () =>
      listening.flatMap(({ tenant, receiver }) => {
        const taken = new Set(receiver.received);
        return receiver.asked.map((callback) => ({
          ...{ phoneNumberId: tenant.plan.phoneNumberId, taken: taken.has(callback) },
          ...{ id: callback.id, type: callback.type, data: callback.data, body: callback.body },
        }));
      }),
    async [Symbol.asyncDispose]() {
      await Promise.all(listening.map(({ receiver }) => receiver.stop()));
    },
  };
}
