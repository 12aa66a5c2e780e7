import { Hono } from "hono";
import { z } from "zod";
import type { Clock } from "../clock.ts";
import { digitsOf } from "../phone_numbers.ts";
import {
  type ReceivedFilter,
  type ReceivedLog,
  receivedOutcomes,
  type ReceivedWithCursor,
} from "../script/received_log.ts";
import type { World } from "../simulator.ts";

const query = z.strictObject({
  phone_number_id: z.string().optional(),
  to: z.string().transform(digitsOf).optional(),
  type: z.string().optional(),
  outcome: z.enum(receivedOutcomes).optional(),
  since: z.coerce.number().int().nonnegative().default(0),
  limit: z.coerce.number().int().min(1).max(200_000).default(1_000),
  wait_for: z.coerce.number().int().nonnegative().default(0),
  timeout_ms: z.coerce.number().int().min(0).max(120_000).default(10_000),
});

/** What was received: the list, its counts, and waiting for more of it. */
export function receivedRoutes({ received, clock }: World): Hono {
  const api = new Hono();

  api.get("/received", async (c) => {
    const { since, limit, wait_for, timeout_ms, ...filter } = query.parse(c.req.query());
    await waitForCalls(received, clock, { filter, since, count: wait_for, timeoutMs: timeout_ms });
    const page = received.page(filter, since, limit);
    return c.json({
      received: page.map(withParsedBody),
      next_cursor: page.at(-1)?.cursor ?? since,
    });
  });

  api.get("/counts", (c) => c.json(received.counts()));

  return api;
}

function withParsedBody({ body, ...rest }: ReceivedWithCursor) {
  try {
    return { ...rest, body: JSON.parse(body) as unknown };
  } catch {
    // What was no JSON is shown as it came.
    return { ...rest, body };
  }
}

async function waitForCalls(
  received: ReceivedLog,
  clock: Clock,
  wanted: { filter: ReceivedFilter; since: number; count: number; timeoutMs: number },
): Promise<void> {
  let late = false;
  let seen = 0;
  let cursor = wanted.since;
  const { promise: timeout, resolve } = Promise.withResolvers<void>();
  const cancel = clock.after(wanted.timeoutMs, () => {
    late = true;
    resolve();
  });
  while (seen < wanted.count && !late) {
    const found = received.page(wanted.filter, cursor, Infinity);
    seen += found.length;
    cursor = received.lastCursor();
    if (seen < wanted.count) await Promise.race([received.next(), timeout]);
  }
  cancel();
}
