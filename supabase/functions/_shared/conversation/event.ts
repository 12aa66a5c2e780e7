import * as z from "zod";

/** What may happen to a conversation; timers of its machine come beside these, named by XState. */
export type ConversationEvent =
  | { type: "customer.wrote"; text: string; wamid: string | null }
  /** A button or a row of a list that was offered, by the id that it was given. */
  | { type: "customer.chose"; id: string; title: string; wamid: string | null }
  /** Anything else: a picture, a place, a voice message. `kind` is Meta's type. */
  | { type: "customer.sent"; kind: string; wamid: string | null }
  /** A person of the tenant answers now, or gives the conversation back. */
  | { type: "agent.took" }
  | { type: "agent.returned" }
  /** What the machine said was not accepted: `window_closed`, `unknown_sender`, … */
  | { type: "message.refused"; outcome: string };

/** What happened, as the database keeps it until it is taken. */
export interface StoredStep {
  kind: string;
  content: unknown;
  wamid: string | null;
}

/** No merged text is longer: it is one message of the customer to the machine, and 4,096 is Meta's most. */
export const MAX_TEXT_CHARACTERS = 4_096;

const text = z.object({ text: z.object({ body: z.string() }) });
const choice = z.object({ id: z.string(), title: z.string().default("") });
const interactive = z.object({
  interactive: z.union([
    z.object({ button_reply: choice }).transform(({ button_reply }) => button_reply),
    z.object({ list_reply: choice }).transform(({ list_reply }) => list_reply),
  ]),
});
// A quick reply of a template.
const button = z.object({
  button: z.object({ text: z.string().default(""), payload: z.string().optional() }),
});
const refused = z.object({ outcome: z.string() });

/** Types of messages that ask for no answer. */
const SILENT: ReadonlySet<string> = new Set(["reaction", "system", "unsupported"]);

/** The event that a stored step is to a machine, or null where it asks for nothing. */
export function toEvent({ kind, content, wamid }: StoredStep): ConversationEvent | null {
  switch (kind) {
    case "agent.took":
    case "agent.returned":
      return { type: kind };
    case "message.refused":
      return { type: kind, outcome: refused.parse(content).outcome };
    default:
      return SILENT.has(kind) ? null : fromCustomer(kind, content, wamid);
  }
}

// What does not have the shape of its type is an event all the same: the customer did something.
function fromCustomer(kind: string, content: unknown, wamid: string | null): ConversationEvent {
  if (kind === "text") {
    const parsed = text.safeParse(content);
    if (parsed.success) {
      const body = parsed.data.text.body.slice(0, MAX_TEXT_CHARACTERS);
      return { type: "customer.wrote", text: body, wamid };
    }
  }
  if (kind === "interactive") {
    const parsed = interactive.safeParse(content);
    if (parsed.success) return { type: "customer.chose", ...parsed.data.interactive, wamid };
  }
  if (kind === "button") {
    const parsed = button.safeParse(content);
    if (parsed.success) {
      const { text: title, payload } = parsed.data.button;
      return { type: "customer.chose", id: payload ?? title, title, wamid };
    }
  }
  return { type: "customer.sent", kind, wamid };
}

/** Says whether it was the customer who did it. */
export function isOfCustomer({ type }: { type: string }): boolean {
  return type.startsWith("customer.");
}
