import type { OutgoingMessage, Words } from "./machine.ts";
import { MAX_FALLBACKS } from "./menu_context.ts";
import type { MenuContext } from "./menu_context.ts";
import { REPAIRS } from "./menu_intent.ts";

const MENU = { id: "menu", title: "Menu" };
const BOOK = { id: "booking", title: "Book a repair" };
const HOURS = { id: "hours", title: "Opening hours" };
const PERSON = { id: "person", title: "Talk to a person" };

/** What the menu bot says. Titles of buttons have at most 20 characters, of rows 24. */
export const menuWords: Readonly<Record<string, Words<MenuContext>>> = {
  seen: ({ wamid }) => ({ type: "read", content: { message_id: wamid ?? "unknown" } }),
  menu: (_, { name }) =>
    buttons(
      `Hello${
        name === null ? "" : ` ${firstWord(name)}`
      }! This is Harbour Bikes. What can we do for you?`,
      [BOOK, HOURS, PERSON],
      "Tap a button, or just write",
    ),
  hours: () =>
    buttons("We are open Monday to Friday from 9 to 18, and on Saturdays from 10 to 14.", [
      BOOK,
      MENU,
    ]),
  repairs: () => ({
    type: "interactive",
    content: {
      type: "list",
      body: { text: "What does your bike need?" },
      footer: { text: "Prices include small parts" },
      action: {
        button: "See repairs",
        sections: [
          { title: "Repairs", rows: REPAIRS.map((one) => ({ ...one })) },
          { title: "Something else", rows: [{ ...PERSON, description: "Whatever else it needs" }] },
        ],
      },
    },
  }),
  confirm: ({ repair }) =>
    buttons(`${titleOf(repair)}: shall we book it for tomorrow at 9?`, [
      { id: "yes", title: "Yes, book it" },
      { id: "no", title: "No, go back" },
    ]),
  reminder: ({ repair }) =>
    buttons(`We still hold tomorrow at 9 for you (${titleOf(repair)}). Shall we book it?`, [
      { id: "yes", title: "Yes, book it" },
      { id: "no", title: "No, go back" },
    ]),
  booked: ({ repair }) =>
    text(
      `Booked: ${
        titleOf(repair)
      }, tomorrow at 9. See you at the harbour! Write any time to begin again.`,
    ),
  dropped: () => text("We let tomorrow at 9 go. Write any time to begin again."),
  unclear: ({ fallbacks }) =>
    buttons(
      fallbacks < MAX_FALLBACKS
        ? "Sorry, we did not understand that. Perhaps one of these?"
        : "Sorry, we still do not understand. A person will take over if this does not help:",
      [BOOK, HOURS, PERSON],
    ),
  handover: () =>
    buttons("A person will answer you here. Tap below if you would rather go on by yourself.", [
      MENU,
    ]),
  goodbye: () => text("Thank you, and safe riding! Write any time to begin again."),
};

function text(body: string): OutgoingMessage {
  return { type: "text", content: { body } };
}

function buttons(
  body: string,
  choices: readonly { id: string; title: string }[],
  footer?: string,
): OutgoingMessage {
  return {
    type: "interactive",
    content: {
      type: "button",
      body: { text: body },
      ...(footer === undefined ? {} : { footer: { text: footer } }),
      action: {
        buttons: choices.map(({ id, title }) => ({ type: "reply", reply: { id, title } })),
      },
    },
  };
}

function titleOf(repair: string | null): string {
  return REPAIRS.find(({ id }) => id === repair)?.title ?? "A repair";
}

function firstWord(name: string): string {
  return name.trim().split(/\s+/)[0]!.slice(0, 40);
}
