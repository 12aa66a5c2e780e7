import { type CallFault, drawCallFaults } from "./call_faults.ts";
import { drawKills, type PlannedKill } from "./kills.ts";
import { createRandom, type Random } from "./random.ts";

/** How large a run is; together with the seed it decides everything but the timing. */
export interface Size {
  seed: number;
  messages: number;
  tenants: number;
  kills: number;
  /** Over how long messages are posted and processes killed. */
  seconds: number;
  /** Whether some calls hang until our own timeout of ten seconds. */
  hangs: boolean;
}

export interface PlannedMessage {
  to: string;
  lane: "urgent" | "normal" | "bulk";
  /** Which message to this recipient it is, from 0. */
  nth: number;
}

/** One request of a tenant; a batch where it has more than one message. */
export interface PlannedRequest {
  afterMs: number;
  key: string;
  messages: PlannedMessage[];
  /** Whether the same request comes once more: at the same time, or after its answer. */
  repeated: "no" | "at_once" | "afterwards";
}

/** A customer's own message, which comes in while others go out. */
export interface PlannedInbound {
  afterMs: number;
  from: string;
  wamid: string;
}

export interface PlannedTenant {
  phoneNumberId: string;
  businessAccountId: string;
  recipients: string[];
  /** In the order in which they are posted, one after the other. */
  requests: PlannedRequest[];
  callFaults: CallFault[];
  inbound: PlannedInbound[];
  /** Whether it has a server that is told what happens. */
  listens: boolean;
}

export interface Plan {
  size: Size;
  tenants: PlannedTenant[];
  kills: PlannedKill[];
}

const MESSAGES_PER_RECIPIENT = 5;
const LARGEST_BATCH = 40;
const LISTENS_EACH = 4;

/** Everything that is posted and everything that goes wrong, decided before the run begins. */
export function drawPlan(size: Size): Plan {
  const random = createRandom(size.seed);
  const tenants = Array.from(
    { length: size.tenants },
    (_, index) => drawTenant(index, shareOf(size.messages, size.tenants, index), size, random),
  );
  return { size, tenants, kills: drawKills(size, random) };
}

function shareOf(total: number, parts: number, index: number): number {
  return Math.floor(total / parts) + (index < total % parts ? 1 : 0);
}

function drawTenant(index: number, count: number, size: Size, random: Random): PlannedTenant {
  const number = String(index + 1).padStart(4, "0");
  const recipients = drawRecipients(number, count, random);
  const messages = drawMessages(recipients, count, random);
  return {
    phoneNumberId: `10000000${number}`,
    businessAccountId: `20000000${number}`,
    recipients: recipients.map(({ to }) => to),
    requests: drawRequests(`tenant-${number}`, messages, size, random),
    callFaults: drawCallFaults(messages, size, random),
    inbound: drawInbound(number, recipients, size, random),
    listens: index % LISTENS_EACH === 0,
  };
}

type Recipient = Pick<PlannedMessage, "to" | "lane">;

// All messages to one recipient go in one lane: an urgent one may overtake the others by design.
function drawRecipients(tenant: string, messages: number, random: Random): Recipient[] {
  const lanes = [["normal", 7], ["urgent", 1.5], ["bulk", 1.5]] as const;
  const count = Math.max(1, Math.ceil(messages / MESSAGES_PER_RECIPIENT));
  return Array.from({ length: count }, (_, index) => ({
    to: `+491511${tenant.slice(1)}${String(index).padStart(4, "0")}`,
    lane: random.pick<PlannedMessage["lane"]>(lanes),
  }));
}

// Some recipients get many more messages than others: the square moves the draw towards the first.
function drawMessages(recipients: Recipient[], count: number, random: Random): PlannedMessage[] {
  const sent = new Map<string, number>();
  return Array.from({ length: count }, () => {
    const recipient = recipients[Math.floor(random.fraction() ** 1.5 * recipients.length)]!;
    const nth = sent.get(recipient.to) ?? 0;
    sent.set(recipient.to, nth + 1);
    return { ...recipient, nth };
  });
}

function drawRequests(
  tenant: string,
  messages: PlannedMessage[],
  size: Size,
  random: Random,
): PlannedRequest[] {
  const requests: Omit<PlannedRequest, "afterMs">[] = [];
  for (let at = 0; at < messages.length;) {
    const taken = random.chance(0.8) ? 1 : random.between(2, LARGEST_BATCH);
    requests.push({
      key: `${tenant}-request-${requests.length}`,
      messages: messages.slice(at, at + taken),
      repeated: random.pick([["no", 85], ["at_once", 8], ["afterwards", 7]] as const),
    });
    at += taken;
  }
  const moments = requests.map(() => Math.round(random.fraction() * size.seconds * 1_000));
  moments.sort((a, b) => a - b);
  return requests.map((request, index) => ({ ...request, afterMs: moments[index]! }));
}

function drawInbound(
  tenant: string,
  recipients: Recipient[],
  size: Size,
  random: Random,
): PlannedInbound[] {
  return recipients.filter(() => random.chance(0.3)).flatMap(({ to }, customer) =>
    Array.from({ length: random.between(1, 3) }, (_, nth) => ({
      afterMs: Math.round(random.fraction() * size.seconds * 1_000),
      from: to,
      wamid: `wamid.inbound.${tenant}.${customer}.${nth}`,
    }))
  );
}
