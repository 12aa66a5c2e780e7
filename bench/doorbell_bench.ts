import { aPhoneNumber, connectPlatform, type Tenant } from "../tests/support/platform.ts";
import type { Simulator } from "../tests/support/simulator.ts";
import { startPlatform } from "../tests/support/start_platform.ts";
import type { Bench } from "./figures.ts";
import { percentile } from "./figures.ts";

const warmUpMessages = 5;
const measuredMessages = 60;
const pauseMs = 150;

/** One message at a time on an idle platform, from the caller's request to Meta's door. */
export const bench: Bench = {
  claim: "on an idle system a message is at the Graph API within 100 ms of being posted",

  async run() {
    const running = await startPlatform({ args: ["--no-demo"] });
    try {
      const platform = connectPlatform(running.envFile);
      const tenant = await platform.createTenant();
      const delays: number[] = [];
      for (let sent = 0; sent < warmUpMessages + measuredMessages; sent++) {
        const delay = await measureDelay(tenant, platform.simulator);
        if (sent >= warmUpMessages) delays.push(delay);
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
      return [
        { name: "post_to_graph_p50", value: percentile(delays, 0.5), unit: "ms", atMost: 100 },
        { name: "post_to_graph_p95", value: percentile(delays, 0.95), unit: "ms" },
        { name: "post_to_graph_max", value: Math.max(...delays), unit: "ms" },
        { name: "messages", value: delays.length, unit: "count" },
      ];
    } finally {
      await running.stop();
    }
  },
};

// Both clocks are this machine's: the simulator stamps calls with the time of day.
async function measureDelay(tenant: Tenant, simulator: Simulator): Promise<number> {
  const to = aPhoneNumber();
  const postedAt = Date.now();
  const posted = await tenant.send({ to });
  if (posted.status !== 202) throw new Error(`Cannot post: ${posted.status} ${posted.text}`);
  const filter = { phone_number_id: tenant.phoneNumberId, to };
  const [call] = await simulator.received(filter, { waitFor: 1, timeoutMs: 10_000 });
  if (call === undefined) throw new Error("The message did not reach the Graph API within 10 s");
  return call.at - postedAt;
}
