import type { AcceptedMessage } from "../graph/accepted_message.ts";
import type { Clock } from "../clock.ts";
import type { Customers } from "../phone/customers.ts";
import type { Delivery, OnAnswer } from "./delivery.ts";
import type { Ids } from "../ids.ts";
import type { Pricing } from "./pricing.ts";
import { RecentMap } from "../recent_map.ts";
import type { Settings, SettingsHolder } from "../script/settings.ts";
import { statusContact, statusItem } from "./status_item.ts";
import type { StatusStep } from "../script/treatment.ts";

/** What a step waits for: the phone to be online, or its owner to look at the chat. */
type Gate = "phone_online" | "chat_read";
interface PlannedStep extends StatusStep {
  gate?: Gate;
  /** When it happened, where that is not when it is reported. */
  happenedAt?: number;
}
interface Held {
  message: AcceptedMessage;
  steps: readonly PlannedStep[];
  gate: Gate;
}

/** Takes accepted messages along their path of statuses. */
export interface Statuses {
  plan(message: AcceptedMessage): void;
  /** Reports the first status at once and resolves when its webhook was answered, then goes on. */
  reportFirst(message: AcceptedMessage): Promise<void>;
  /** Lets go on what waited for this phone or this chat. */
  release(waId: string, gate: Gate, phoneNumberId?: string): void;
  /** How many messages have statuses still to come. */
  planned(): number;
  clear(): void;
}

export interface StatusDeps {
  clock: Clock;
  random: () => number;
  settings: SettingsHolder;
  customers: Customers;
  pricing: Pricing;
  ids: Ids;
  delivery: Delivery;
  onStatus: (message: AcceptedMessage, step: StatusStep, at: number) => void;
  /** Called when a message waits for its phone, since then nothing more is planned for it. */
  onHeld: () => void;
}

const PHONES_THAT_WAIT = 10_000;
const MESSAGES_THAT_WAIT = 1_000;

export function createStatuses(deps: StatusDeps): Statuses {
  const { clock, settings, customers, pricing, ids, delivery } = deps;
  const held = new RecentMap<string, Held[]>(PHONES_THAT_WAIT);
  let planned = 0;
  let generation = 0;

  function report(message: AcceptedMessage, step: PlannedStep, onAnswer?: OnAnswer): void {
    const at = step.happenedAt ?? clock.now();
    if (step.status === "delivered") message.wasDelivered = true;
    const context = {
      at,
      price: pricing.priceFor(message, step.status),
      webhookVersion: settings.current.webhooks.version,
      freeEntryUntil: pricing.freeEntryUntil(message.number, message.waId),
    };
    if (step.status === "read") message.wasDelivered = true;
    deps.onStatus(message, step, at);
    delivery.publish(
      {
        kind: "number",
        accountId: message.number.businessAccountId,
        field: "messages",
        number: message.number,
        list: "statuses",
        item: statusItem(message, step, context, customers, ids),
        contact: statusContact(message, step.status, customers),
      },
      message.treatment.webhooks,
      onAnswer,
    );
  }

  function goOn(message: AcceptedMessage, steps: readonly PlannedStep[]): void {
    const [next, ...rest] = steps;
    if (next === undefined) return;
    const current = generation;
    planned++;
    clock.after(next.afterMs, () => {
      if (current !== generation) return;
      planned--;
      if (next.gate && isShut(next.gate, message)) {
        hold({ message, steps, gate: next.gate });
        return deps.onHeld();
      }
      report(message, next);
      goOn(message, rest);
    });
  }

  function isShut(gate: Gate, { waId }: AcceptedMessage): boolean {
    if (waId === null) return false;
    const customer = customers.look(waId);
    return gate === "phone_online" ? !customer.online : customer.receipts !== "auto";
  }

  function hold(one: Held): void {
    const waId = String(one.message.waId);
    if (one.gate === "chat_read" && customers.look(waId).receipts === "off") return;
    const waiting = held.get(waId) ?? [];
    held.set(waId, [...waiting, one].slice(-MESSAGES_THAT_WAIT));
  }

  return {
    plan(message) {
      goOn(message, pathOf(message, settings.current.statuses, deps.random));
    },
    async reportFirst(message) {
      const [first, ...rest] = pathOf(message, settings.current.statuses, deps.random);
      if (first === undefined) return;
      await new Promise<void>((resolve) => {
        report(message, first, () => resolve());
        delivery.flush();
      });
      goOn(message, rest);
    },
    release(waId, gate, phoneNumberId) {
      const waiting = held.get(waId) ?? [];
      const goes = (one: Held) =>
        one.gate === gate && (phoneNumberId ?? one.message.number.phoneNumberId) ===
          one.message.number.phoneNumberId;
      held.set(waId, waiting.filter((one) => !goes(one)));
      for (const { message, steps } of waiting.filter(goes)) {
        const [next, ...rest] = steps;
        if (next) report(message, next);
        goOn(message, rest);
      }
    },
    planned: () => planned,
    clear() {
      generation++;
      planned = 0;
      held.clear();
    },
  };
}

function pathOf(
  message: AcceptedMessage,
  timing: Settings["statuses"],
  random: () => number,
): readonly PlannedStep[] {
  const path = message.treatment.path ?? ordinaryPath(message, timing);
  return message.treatment.shufflePath ? shuffled(path, message.acceptedAt, random) : path;
}

function ordinaryPath({ type }: AcceptedMessage, timing: Settings["statuses"]): PlannedStep[] {
  const sent: PlannedStep = { status: "sent", afterMs: timing.sent_after_ms };
  // A reaction is only ever reported as sent.
  if (type === "reaction") return [sent];
  const afterMs = Math.max(timing.delivered_after_ms - timing.sent_after_ms, 0);
  const delivered: PlannedStep = { status: "delivered", afterMs, gate: "phone_online" };
  if (timing.read_after_delivery_ms === null) return [sent, delivered];
  const read = { afterMs: timing.read_after_delivery_ms, gate: "chat_read" as const };
  return [sent, delivered, { ...read, status: "read" }];
}

/** The same statuses with their true times, reported in another order. */
function shuffled(
  path: readonly PlannedStep[],
  acceptedAt: number,
  random: () => number,
): PlannedStep[] {
  let happenedAt = acceptedAt;
  const dated = path.map(({ gate: _, ...step }) => {
    happenedAt += step.afterMs;
    return { step: { ...step, happenedAt }, order: random() };
  });
  return dated.sort((a, b) => a.order - b.order)
    .map(({ step }, index) => ({ ...step, afterMs: path[index]?.afterMs ?? 0 }));
}
