import { RecentMap } from "../recent_map.ts";

/** What a tick says: of a customer's message whether the business took it, of a business's message
 * how far the simulator has reported it. */
export type Tick = "pending" | "accepted" | "sent" | "delivered" | "read" | "failed";

/** A message as the customer's phone shows it. */
export interface ChatMessage {
  id: string;
  direction: "from_customer" | "from_business";
  at: number;
  type: string;
  /** The object named by `type`. */
  content: unknown;
  context_id: string | null;
  tick: Tick;
  error: string | null;
  reactions: { customer?: string; business?: string };
  timeline: { status: string; at: number }[];
  /** A template filled with its parameters, where the simulator knows the template. */
  template?: FilledTemplate;
}

export interface FilledTemplate {
  header: string | null;
  body: string;
  footer: string | null;
  buttons: { type: string; text: string; url?: string | undefined }[];
}

/** What a phone is told while it is looked at. */
export type ChatEvent =
  | { kind: "message"; phone_number_id: string; message: ChatMessage }
  | { kind: "typing"; phone_number_id: string };
export type ChatListener = (event: ChatEvent) => void;

export interface Chat {
  phone_number_id: string;
  messages: ChatMessage[];
}

/** The chats on every customer's phone; what is older than the limits is forgotten. */
export interface Chats {
  add(customer: string, phoneNumberId: string, message: ChatMessage): void;
  /** Changes a message and tells who is looking; does nothing when it was forgotten. */
  change(customer: string, phoneNumberId: string, id: string, to: (m: ChatMessage) => void): void;
  typing(customer: string, phoneNumberId: string): void;
  of(customer: string): Chat[];
  listen(customer: string, listener: ChatListener): () => void;
  clear(): void;
}

const REMEMBERED_PHONES = 1_000;
const CHATS_PER_PHONE = 50;
const MESSAGES_PER_CHAT = 100;

type Messages = RecentMap<string, ChatMessage>;

export function createChats(): Chats {
  const phones = new RecentMap<string, RecentMap<string, Messages>>(REMEMBERED_PHONES);
  const listeners = new Map<string, Set<ChatListener>>();

  function tell(customer: string, event: ChatEvent): void {
    for (const listener of listeners.get(customer) ?? []) listener(event);
  }

  return {
    add(customer, phoneNumberId, message) {
      const chats = phones.get(customer) ?? new RecentMap<string, Messages>(CHATS_PER_PHONE);
      phones.set(customer, chats);
      const messages = chats.get(phoneNumberId) ?? new RecentMap(MESSAGES_PER_CHAT);
      chats.set(phoneNumberId, messages);
      messages.set(message.id, message);
      tell(customer, { kind: "message", phone_number_id: phoneNumberId, message });
    },
    change(customer, phoneNumberId, id, to) {
      const message = phones.get(customer)?.get(phoneNumberId)?.get(id);
      if (message === undefined) return;
      to(message);
      tell(customer, { kind: "message", phone_number_id: phoneNumberId, message });
    },
    typing: (customer, phoneNumberId) =>
      tell(customer, { kind: "typing", phone_number_id: phoneNumberId }),
    of(customer) {
      const chats = phones.get(customer)?.entries() ?? [];
      return [...chats].map(([phone_number_id, messages]) => ({
        phone_number_id,
        messages: [...messages.values()],
      }));
    },
    listen(customer, listener) {
      const own = listeners.get(customer) ?? new Set();
      listeners.set(customer, own.add(listener));
      return () => {
        own.delete(listener);
        if (own.size === 0) listeners.delete(customer);
      };
    },
    clear: () => phones.clear(),
  };
}
