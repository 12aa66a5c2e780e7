import { drain, type DrainReport } from "../../supabase/functions/wa-inbound/drain.ts";
import { createInboundQueue } from "../../supabase/functions/_shared/queue/inbound.ts";
import { connectProject, type Project } from "../../supabase/functions/_shared/project.ts";
import { createLog } from "../../supabase/functions/_shared/telemetry/log.ts";
import type { Json } from "../../supabase/functions/_shared/database_types.ts";
import {
  exampleMessage,
  exampleNotification,
  toBody,
} from "../../supabase/functions/_shared/whatsapp/webhook_examples.ts";
import { splitWebhook } from "../../supabase/functions/_shared/whatsapp/webhook_events.ts";
import { NO_CONVERSATIONS } from "./conversations.ts";
import type { TestDataApi } from "./data_api.ts";
import type { Tenancy } from "./tenancy.ts";

type Members = Record<string, unknown>;

/** What a webhook goes through, on a test's own database: split, stored and applied by the functions' code. */
export interface Receiving {
  project: Project;
  /** One change of a field, as Meta posts it. */
  receiveField(
    tenancy: Tenancy,
    field: string,
    value: unknown,
    time?: number,
  ): Promise<DrainReport>;
  /** The value of field `messages` with these members. */
  receive(tenancy: Tenancy, members: Members): Promise<DrainReport>;
  /** A text of a customer with these members changed. */
  receiveMessage(tenancy: Tenancy, overrides?: Members): Promise<DrainReport>;
}

const log = createLog({ write: () => {}, now: () => 0, fields: {} });
const LIMITS = { batch: 100, maxEvents: 10_000, maxDurationMs: 30_000, maxIdleMs: 0 };

let made = 0;

/** Wires the functions' own code to the test's Data API. */
export function startReceiving(api: TestDataApi): Receiving {
  const project = connectProject({
    SUPABASE_URL: api.url,
    SUPABASE_SECRET_KEYS: { default: api.secretKey },
    SUPABASE_PUBLISHABLE_KEYS: { default: api.publishableKey },
    SUPABASE_JWKS: JSON.parse(api.jwks),
  }, api.fetch);
  const queue = createInboundQueue(project.call, { leaseSeconds: 60 });
  const sleep = () => Promise.resolve();
  const deps = {
    queue,
    conversations: NO_CONVERSATIONS,
    now: Date.now,
    sleep,
    random: () => 0,
    log,
  };

  async function receiveField(tenancy: Tenancy, field: string, value: unknown, time?: number) {
    const { businessAccountId: id } = tenancy;
    const around = time === undefined ? { id, field } : { id, field, time };
    const events = splitWebhook(toBody(exampleNotification(value, around)));
    await project.call("store_events", { events: events as unknown as Json });
    return await drain(deps, LIMITS, { stop: new AbortController().signal });
  }

  function receive(tenancy: Tenancy, members: Members) {
    const metadata = {
      display_phone_number: "15550783881",
      phone_number_id: tenancy.phoneNumberId,
    };
    return receiveField(tenancy, "messages", {
      messaging_product: "whatsapp",
      metadata,
      ...members,
    });
  }

  return {
    project,
    receiveField,
    receive,
    receiveMessage(tenancy, overrides = {}) {
      made += 1;
      const message = exampleMessage({ id: `wamid.in.${made}`, ...overrides });
      return receive(tenancy, { messages: [message] });
    },
  };
}

/** A moment as Meta writes it. */
export function seconds(iso: string): string {
  return String(Date.parse(iso) / 1_000);
}
