import type { Json } from "../supabase/functions/_shared/database_types.ts";
import {
  exampleMessage,
  exampleNotification,
  toBody,
} from "../supabase/functions/_shared/whatsapp/webhook_examples.ts";
import {
  splitWebhook,
  type WebhookEvent,
} from "../supabase/functions/_shared/whatsapp/webhook_events.ts";
import type { Ground, Sql } from "./ground/ground.ts";
import { createTenants } from "./ground/tenants.ts";
import {
  type Contender,
  drainOnce,
  startBenchDataApi,
  startFunction,
} from "./webhook_contenders.ts";

const TENANTS = { tenants: 10, sendersEach: 2 };
const CUSTOMERS = 500;
const STORED_TOGETHER = 500;
const DRAINS_AT_ONCE = 2;

/** A database with senders, and the real functions over it. */
export interface EventsWorld extends AsyncDisposable {
  readonly sql: Sql;
  readonly phoneNumberIds: string[];
  readonly webhook: Contender;
  readonly inbound: Contender;
  readonly dataApiPid: number;
  /** Three statuses of each of so many messages that went out, and as many thirds of customers' messages. */
  makeEvents(count: number): Promise<WebhookEvent[]>;
  store(events: WebhookEvent[]): Promise<void>;
  /** Drains until none is pending. */
  applyAll(): Promise<void>;
}

/** Opens it on a database of its own; for `await using`. */
export async function openEventsWorld(ground: Ground): Promise<EventsWorld> {
  const parts = new AsyncDisposableStack();
  const database = parts.use(await ground.createDatabase("migrated"));
  const { sql } = database;
  const tenants = await createTenants(sql, TENANTS);
  const phoneNumberIds = tenants.flatMap(({ senders }) => senders);
  const dataApi = parts.use(await startBenchDataApi(database.url));
  const webhook = parts.use(await startFunction("wa-webhook", dataApi.url));
  const inbound = parts.use(await startFunction("wa-inbound", dataApi.url));
  let made = 0;
  return {
    sql,
    phoneNumberIds,
    webhook,
    inbound,
    dataApiPid: dataApi.pid,
    async makeEvents(count) {
      const from = made;
      made += count / 4;
      await sendMessages(sql, from, made);
      return Array.from({ length: count / 4 }, (_, nth) => eventsOf(from + nth, phoneNumberIds))
        .flat();
    },
    async store(events) {
      for (let taken = 0; taken < events.length; taken += STORED_TOGETHER) {
        const batch = events.slice(taken, taken + STORED_TOGETHER);
        await sql`select switchyard_api.store_events(${sql.json(batch as unknown as Json)})`;
      }
    },
    async applyAll() {
      // Only who asks for a time gets the index of what is pending, others read the whole table.
      const isDone = async () => {
        const rows = await sql`
          select from switchyard.inbound_events
          where state = 'pending' and received_at <= clock_timestamp()
          order by received_at limit 1`;
        return rows.length === 0;
      };
      await Promise.all(Array.from({ length: DRAINS_AT_ONCE }, async () => {
        do await drainOnce(inbound); while (!await isDone());
      }));
    },
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}

// As sending them would have left them.
async function sendMessages(sql: Sql, from: number, to: number): Promise<void> {
  await sql`
    insert into switchyard.messages (
      tenant_id, sender_id, recipient, type, content, lane, status, wamid, planned_send_at, due_at,
      expires_at)
    select s.tenant_id, s.id, '+1555' || lpad(n::text, 9, '0'), 'text', '{"body": "hello"}', 'normal',
      'sent', 'wamid.out.' || n, now(), now(), now() + interval '1 day'
    from generate_series(${from}::integer, ${to - 1}::integer) n
    join (
      select *, row_number() over (order by phone_number_id) - 1 as place, count(*) over () as count
      from switchyard.senders
    ) s on s.place = n % s.count`;
}

/** What comes of the nth message: sent, delivered and read, and a customer's message to its sender. */
function eventsOf(nth: number, phoneNumberIds: string[]): WebhookEvent[] {
  const phone_number_id = phoneNumberIds[nth % phoneNumberIds.length]!;
  const second = 1_763_812_800 + nth;
  const recipient_id = `1555${String(nth).padStart(9, "0")}`;
  const pricing = { billable: true, pricing_model: "PMP", type: "regular", category: "utility" };
  const statuses = ["sent", "delivered", "read"].map((status, step) => ({
    id: `wamid.out.${nth}`,
    status,
    timestamp: String(second + step),
    recipient_id,
    ...(status === "read" ? {} : { pricing }),
  }));
  const from = `1666${String(nth % CUSTOMERS).padStart(9, "0")}`;
  const messages = [exampleMessage({ id: `wamid.in.${nth}`, from, timestamp: String(second) })];
  const metadata = { display_phone_number: "15550100001", phone_number_id };
  const contacts = [{ profile: { name: "Ann" }, wa_id: from }];
  const value = { messaging_product: "whatsapp", metadata, contacts, messages, statuses };
  return splitWebhook(toBody(exampleNotification(value, { id: phone_number_id })));
}
