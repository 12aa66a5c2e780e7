// In a real browser: chromium, which .ci/run installs where a test names it.
import { strict as assert } from "node:assert";

import { browserTest, type Page, startBrowser } from "../support/browser.ts";
import { eventually } from "../support/eventually.ts";
import { aPhoneNumber, connectPlatform, type Tenant } from "../support/platform.ts";
import { openPlatformDatabase } from "../support/platform_database.ts";

const platform = connectPlatform();
const MENU = "What can we do for you?";
const REPAIRS = "What does your bike need?";

/** A customer's phone with the chat of a tenant whose bot is the menu. */
async function openPhone(page: Page): Promise<{ tenant: Tenant; chat: Chat }> {
  const tenant = await platform.createTenant();
  const set = await platform.api(`/admin/tenants/${tenant.id}/bot`, {
    method: "PUT",
    body: { machine: "menu" },
  });
  assert.equal(set.status, 200, set.text);
  const customer = aPhoneNumber().slice(1);
  await page.open(`${platform.env.SIMULATOR_URL}/phone/${customer}?with=${tenant.phoneNumberId}`);
  return { tenant, chat: chatOn(page) };
}

interface Chat {
  write(text: string): Promise<void>;
  tap(label: string): Promise<void>;
  /** Chooses a row of the list that is offered by the button `label`. */
  choose(label: string, row: string): Promise<void>;
  /** Waits until this has been said so often. */
  sees(text: string, times?: number): Promise<void>;
}

function chatOn(page: Page): Chat {
  const said = () =>
    page.evaluate<string>(`[...document.querySelectorAll("#messages .theirs")]
      .map((bubble) => bubble.innerText).join("\\n")`);
  return {
    async write(text) {
      await page.click("#text");
      await page.type(text);
      await page.press("Enter");
    },
    tap: (label) => page.click("#messages button", label),
    async choose(label, row) {
      await page.click("#messages button", label);
      await eventually(() => page.evaluate<boolean>(`document.querySelector("#sheet").open`));
      await page.click("#sheet button", row);
    },
    async sees(text, times = 1) {
      // Meta lets one message go to a customer in 6 s, and bursts that are paid back: so does the
      // sender, and a machine that is busy makes a burst long.
      await eventually(said, (all) => all.split(text).length - 1 === times, { timeoutMs: 60_000 });
    },
  };
}

/** Keeps what is seen where SWITCHYARD_SCREENSHOTS names a folder. */
async function keep(page: Page, name: string): Promise<void> {
  const folder = Deno.env.get("SWITCHYARD_SCREENSHOTS");
  if (folder === undefined) return;
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeFile(`${folder}/${name}.png`, await page.screenshot());
}

browserTest("a customer books a repair on the phone by buttons and a list", async () => {
  await using browser = await startBrowser();
  const page = await browser.page();
  const { chat } = await openPhone(page);

  await chat.write("Hi there");
  await chat.sees(MENU);
  await keep(page, "menu_bot_menu");
  await chat.tap("Book a repair");
  await chat.sees(REPAIRS);
  await chat.choose("See repairs", "Brakes");
  await chat.sees("Brakes: shall we book it for tomorrow at 9?");
  await chat.tap("Yes, book it");
  await chat.sees("Booked: Brakes, tomorrow at 9.");
  await keep(page, "menu_bot_booked");
  assert.deepEqual(page.faults, []);
});

browserTest(
  "a customer asks for a person, who answers in the same chat, and comes back by the menu",
  async () => {
    await using browser = await startBrowser();
    const page = await browser.page();
    const { tenant, chat } = await openPhone(page);

    await chat.write("Hi there");
    await chat.sees(MENU);
    await chat.tap("Talk to a person");
    await chat.sees("A person will answer you here.");

    await using database = openPlatformDatabase(platform);
    const [conversation] = await database.sql`
    select conversation_id as id, state from switchyard.conversation_machines
    where tenant_id = ${tenant.id}`;
    assert.equal(conversation!.state, "agent_active.waiting");
    await tenant.send({
      to: await customerOf(database.sql, conversation!.id),
      text: { body: "I am Bo" },
    });
    await chat.sees("I am Bo");
    await keep(page, "menu_bot_person");
    await chat.tap("Menu");
    await chat.sees(MENU, 2);
    assert.deepEqual(page.faults, []);
  },
);

async function customerOf(
  sql: ReturnType<typeof openPlatformDatabase>["sql"],
  conversationId: string,
): Promise<string> {
  const [row] = await sql`
    select customer_phone as phone from switchyard.conversations where id = ${conversationId}`;
  return row!.phone;
}
