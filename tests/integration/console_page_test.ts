import { strict as assert } from "node:assert";
import { eventually } from "../support/eventually.ts";
import { browserTest, type Page, startBrowser } from "../support/browser.ts";
import { startConsole } from "../../console/server.ts";

const TENANT = "01a202d7-064f-7079-84f5-73eaf18b6a5b";
const MESSAGE = "01a202e3-3080-707c-9f56-6207d900980c";
const at = "2026-11-22T03:00:00Z";
const message = (id: string, to: string) => ({
  ...{ id, to, status: "sent", type: "text", lane: "normal", created_at: at },
  ...{ from: "15", planned_send_at: at },
});

/** What the API answers, by address; a test puts its own in. */
function answers(): Record<string, unknown> {
  return {
    "/health/detailed": {
      status: "degraded",
      faults: ["cron"],
      cron: { ticked_at: at, age_seconds: 600 },
      database: { status: "ok", duration_ms: 3 },
      redis: { status: "not_configured" },
      breakers: null,
      messages: { outcome_unknown: 0, dead_letters: 0, quarantined: 0 },
      senders: { active: 1, paused: 1, needing_attention: 1 },
    },
    "/admin/attention": {
      attention: [{
        ...{ tenant_id: TENANT, phone_number_id: "15", cause: "token_expired" },
        ...{ raised_at: at, stops: "all", until: null },
      }],
    },
    "/admin/tenants": {
      tenants: [{ id: TENANT, slug: "acme", name: "<i>Acme</i>", status: "active" }],
      next_cursor: null,
    },
    "/wa-messages": { messages: [message(MESSAGE, "+1555")], next_cursor: null },
    [`/wa-messages/${MESSAGE}`]: {
      ...message(MESSAGE, "+1555"),
      timeline: [{ at, status: "queued", source: "switchyard" }],
    },
  };
}

interface Api {
  answers: ReturnType<typeof answers>;
  asked: string[];
  status: number;
}

/** `begin` says what the API is like before the page is opened; all is well unless it does. */
async function withPage(
  use: (page: Page, api: Api) => Promise<void>,
  begin: Partial<Api> = {},
): Promise<void> {
  const api: Api = { answers: answers(), asked: [], status: 200, ...begin };
  const console = await startConsole({
    port: 0,
    apiUrl: "http://api.test",
    secretKey: "sb_secret_1",
    tenantId: null,
    phoneUrl: null,
    fetch: (input) => {
      const { pathname, searchParams } = new URL(input instanceof Request ? input.url : input);
      const cursor = searchParams.get("cursor");
      const path = pathname.replace("/functions/v1", "") + (cursor ? ` after ${cursor}` : "");
      api.asked.push(path);
      const body = api.answers[path];
      if (body === undefined) return Promise.reject(new TypeError("refused"));
      return Promise.resolve(Response.json(body, { status: api.status }));
    },
  });
  try {
    await using browser = await startBrowser();
    const page = await browser.page({ width: 380, height: 800 });
    await page.open(console.url);
    await use(page, api);
    assert.deepEqual(page.faults, []);
  } finally {
    await console.stop();
  }
}

const text = (page: Page, selector: string) =>
  page.evaluate<string>(`document.querySelector(${JSON.stringify(selector)}).innerText`);

async function showing(page: Page, selector: string, wanted: string): Promise<void> {
  await eventually(async () => (await text(page, selector)).includes(wanted));
}

browserTest("the console says what is wrong, since when, and what to do", async () => {
  await withPage(async (page) => {
    await showing(page, "#summary", "2 things are wrong");
    assert.equal(await page.evaluate("document.title"), "(2) Switchyard console");
    await showing(page, "#troubles", "Cron is silent");
    await page.click("summary", "1 sender needs attention: token expired");
    await showing(page, "details[open]", "Give it a new token");
    assert.match(await text(page, "details[open]"), /<i>Acme<\/i> · 15/);
    const overflow = "document.documentElement.scrollWidth > innerWidth";
    assert.equal(await page.evaluate(overflow), false);
  });
});

browserTest("what somebody opened stays open while the rest goes on", async () => {
  await withPage(async (page, { answers, asked }) => {
    await showing(page, "#troubles", "Cron is silent");
    await page.click("summary", "token expired");
    Object.assign(answers["/health/detailed"] as object, { faults: [] });
    await showing(page, "#summary", "1 thing is wrong");
    assert.match(await text(page, "details[open]"), /token expired/);
    assert(asked.filter((path) => path === "/admin/attention").length < 3);
  });
});

browserTest("an installation that works says so", async () => {
  await withPage(async (page, { answers }) => {
    const senders = { active: 1, paused: 0, needing_attention: 0 };
    Object.assign(answers["/health/detailed"] as object, { status: "ok", faults: [], senders });
    await showing(page, "#summary", "Everything works");
    assert.match(await text(page, "#all-well"), /^Nothing/);
    assert.equal(await page.evaluate("document.title"), "Switchyard console");
  });
});

browserTest("an API that is gone leaves what was seen last, and says how old that is", async () => {
  await withPage(async (page, api) => {
    await showing(page, "#troubles", "Cron is silent");
    delete api.answers["/health/detailed"];
    await showing(page, "#summary", "Nothing that is ours answers at http://api.test");
    assert.match(await text(page, "#summary"), /What you see is from/);
    assert.match(await text(page, "#troubles"), /Cron is silent/);
    assert.equal(await page.evaluate("document.title"), "(!) Switchyard console");
  });
});

browserTest(
  "a key that is refused is called so, and nothing is shown as if it were empty",
  async () => {
    const refused = {
      answers: { "/health/detailed": { code: "invalid_credentials" } },
      status: 401,
    };
    await withPage(async (page, api) => {
      await showing(page, "#summary", "refuses the console's secret key");
      assert(await page.evaluate("document.getElementById('main').hidden"));
      Object.assign(api, { answers: answers(), status: 200 });
      await showing(page, "#rows", "+1555");
    }, refused);
  },
);

browserTest("messages are told one by one, and older ones page by page", async () => {
  await withPage(async (page, { answers }) => {
    answers["/wa-messages"] = { messages: [message(MESSAGE, "+1555")], next_cursor: "c1" };
    answers["/wa-messages after c1"] = { messages: [message(TENANT, "+1666")], next_cursor: null };
    await eventually(() => page.evaluate("!document.getElementById('older').hidden"));
    await page.click("#older");
    await showing(page, "#rows", "+1666");
    await page.evaluate(`document.querySelector('[data-id="${TENANT}"]').focus()`);
    answers["/wa-messages"] = { messages: [message(MESSAGE, "+1777")], next_cursor: null };
    await showing(page, "#rows", "+1777");
    assert.equal(await page.evaluate("document.activeElement.dataset.id"), TENANT);
    await page.click("#rows button[data-id='" + MESSAGE + "']");
    await showing(page, "#story", "queued switchyard");
    await page.press("Escape");
    assert.equal(await page.evaluate("document.getElementById('message').open"), false);
  });
});
