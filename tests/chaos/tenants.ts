import type { Platform } from "../support/platform.ts";
import type { Plan, PlannedTenant } from "./plan.ts";

/** A tenant of the plan as it is known to the platform. */
export interface ChaosTenant {
  plan: PlannedTenant;
  id: string;
  apiKey: string;
}

/** Creates the tenants, each with a sender that is not limited, and scripts what befalls its calls. */
export async function createTenants(platform: Platform, plan: Plan): Promise<ChaosTenant[]> {
  return await Promise.all(plan.tenants.map(async (tenant) => {
    const { phoneNumberId, businessAccountId } = tenant;
    const access_token = `token-${phoneNumberId}`;
    const display_phone_number = `+1 555 ${phoneNumberId.slice(-7, -4)} ${phoneNumberId.slice(-4)}`;
    const slug = `chaos-${phoneNumberId}`;
    const { id } = await create<{ id: string }>(platform, "", { slug, name: slug });
    await create(platform, `/${id}/senders`, {
      phone_number_id: phoneNumberId,
      business_account_id: businessAccountId,
      display_phone_number,
      access_token,
      throughput_per_second: 1_000,
      limit: { messages: 100_000, window_seconds: 60 },
    });
    await platform.simulator.putNumber(phoneNumberId, {
      business_account_id: businessAccountId,
      display_phone_number,
      access_tokens: [access_token],
    });
    for (const { to, skip, then } of tenant.callFaults) {
      const match = { phone_number_id: phoneNumberId, to };
      await platform.simulator.addRule({ match, skip, times: 1, then });
    }
    const { key } = await create<{ key: string }>(platform, `/${id}/api-keys`, {
      name: "chaos",
      role: "operator",
    });
    return { plan: tenant, id, apiKey: key };
  }));
}

async function create<T>(platform: Platform, path: string, body: unknown): Promise<T> {
  const answer = await platform.api(`/admin/tenants${path}`, { body });
  if (answer.status >= 200 && answer.status < 300) return answer.json<T>();
  throw new Error(`Cannot POST /admin/tenants${path}: ${answer.status} ${answer.text}`);
}
