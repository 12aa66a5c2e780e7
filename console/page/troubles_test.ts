import { strict as assert } from "node:assert";
import { readRunbook } from "../runbook.ts";
import { SECTIONS, troublesOf } from "./troubles.js";

const NOW = Date.parse("2026-11-22T03:00:00Z");
const nameOf = (id: string) => `tenant ${id}`;

interface Shown {
  title: string;
  tone: string;
  detail: string;
  since?: string;
  last?: string;
  next?: string;
  subjects: { text: string; note: string }[];
}

function troubles(health: Record<string, unknown>, details = {}): Shown[] {
  return troublesOf(health, details, nameOf, NOW);
}
const titles = (health: Record<string, unknown>, details = {}) =>
  troubles(health, details).map(({ title }) => title);

Deno.test("an installation that works has no troubles", () => {
  const queues = { callbacks: { paused_endpoints: 0, failing_endpoints: 0 } };
  assert.deepEqual(troubles({ faults: [], breakers: [], queues, messages: {} }), []);
});

Deno.test("an installation of which nothing is known has those that are told", () => {
  const down = { faults: ["database"], database: { error: "timeout" }, queues: null, cron: null };
  const [only, ...others] = troubles(down);
  assert.deepEqual(others, []);
  assert.deepEqual([only?.title, only?.detail], ["The database does not answer", "timeout"]);
});

Deno.test("each trouble names a section of docs/operations.md", async () => {
  const runbook = await readRunbook();
  assert.deepEqual(SECTIONS.filter((section: string) => !runbook[section]), []);
});

Deno.test("each fault of health has its title", async () => {
  const report = await Deno.readTextFile("supabase/functions/health/report.ts");
  const [, table = ""] = /const faults = \{([\s\S]*?)\n {2}\};/.exec(report) ?? [];
  const faults = ["database", ...[...table.matchAll(/^ {4}(\w+):/gm)].map(([, name]) => name!)];
  assert(faults.length > 7);
  for (const fault of faults) {
    assert.equal(
      titles({ faults: [fault], queues: { outbound: {}, inbound: {}, callbacks: {} } })
        .length,
      1,
      fault,
    );
  }
});

Deno.test("a backlog is as old as its oldest message", () => {
  const queues = { outbound: { depth: 1200, oldest_age_seconds: 600 } };
  const [late] = troubles({ faults: ["outbound"], queues });
  assert.equal(late?.since, "2026-11-22T02:50:00.000Z");
  assert.equal(late?.detail, "1,200 due");
});

const waiting = (cause: string, raised_at: string, stops: string) => ({
  ...{ cause, raised_at, stops, until: null },
  ...{ tenant_id: "t1", phone_number_id: "15" },
});

Deno.test("senders that wait for the same are one trouble, as old as the first of them", () => {
  const attention = [
    waiting("token_expired", "2026-11-22T02:00:00Z", "all"),
    waiting("token_expired", "2026-11-22T01:00:00Z", "all"),
    waiting("template_waits:hello/en", "2026-11-22T02:30:00Z", "templates"),
  ];
  const [all, templates] = troubles({}, { attention });
  assert.equal(all?.title, "2 senders need attention: token expired");
  assert.deepEqual([all?.since, all?.tone], ["2026-11-22T01:00:00Z", "bad"]);
  assert.equal(all?.subjects.length, 2);
  assert.deepEqual([templates?.tone, templates?.detail], ["warn", "their templates wait"]);
  assert.deepEqual(templates?.subjects.map(({ text, note }) => [text, note]), [
    ["tenant t1 · 15", "hello/en"],
  ]);
});

Deno.test("a breaker says of what, since when and when it is tried again", () => {
  const open = { scope: "tenant:t1", state: "open", cause: "failures_in_a_row" };
  const times = { opened_at: "2026-11-22T02:59:00Z", next_probe_at: "2026-11-22T03:01:00Z" };
  const [breaker] = troubles({ breakers: [{ ...open, ...times }] });
  assert.equal(breaker?.title, "Calls are held back: tenant t1");
  assert.deepEqual([breaker?.since, breaker?.next], [times.opened_at, times.next_probe_at]);
  const alone = { ...open, state: "isolated", opened_at: null, next_probe_at: null };
  assert.deepEqual(titles({ breakers: [alone] }), ["Isolated by hand: tenant t1"]);
  assert.deepEqual(titles({ breakers: [{ ...open, scope: "app" }] }), [
    "Calls are held back: everything",
  ]);
});

Deno.test("more than five breakers of a kind are one trouble, as old as the first of them", () => {
  const breakers = Array.from({ length: 6 }, (_, n) => ({
    ...{ scope: `sender:s${n}`, state: "open", cause: "failure_rate" },
    ...{ opened_at: `2026-11-22T02:5${9 - n}:00Z`, next_probe_at: null },
  }));
  assert.equal(troubles({ breakers: breakers.slice(1) }).length, 5);
  const [all, ...others] = troubles({ breakers });
  assert.deepEqual(others, []);
  assert.equal(all?.title, "6 breakers are open: sender");
  assert.equal(all?.since, "2026-11-22T02:54:00Z");
  assert.equal(all?.subjects[0]?.text, "sender s0");
});

Deno.test("a list of senders that is full counts on", () => {
  const attention = Array.from(
    { length: 1_000 },
    () => waiting("token_expired", "2026-11-22T02:00:00Z", "all"),
  );
  assert.deepEqual(titles({}, { attention }), [
    "1,000+ senders need attention: token expired",
  ]);
});

Deno.test("dead letters and quarantine are counted by cause, with more where nobody counted on", () => {
  const newest_at = "2026-11-22T02:00:00Z";
  const counted = { count: 10_000, is_complete: false, newest_at };
  const one = { count: 1, is_complete: true, newest_at };
  const details = {
    causes: [{ cause: "template_not_found", ...counted }],
    reasons: [{ reason: "unknown_owner", ...one }],
  };
  assert.deepEqual(titles({}, details), [
    "10,000+ dead letters: template not found",
    "1 event in quarantine: unknown owner",
  ]);
  assert.equal(troubles({}, details)[0]?.last, newest_at);
});

Deno.test("what lies in quarantine for long is told, and what came lately is a fault", () => {
  const details = { reasons: [{ reason: "unknown_owner", count: 3, is_complete: true }] };
  const health = { faults: ["quarantine"], messages: { quarantined_lately: 2, media_failed: 1 } };
  assert.deepEqual(troubles(health, details).map(({ tone, title }) => [tone, title]), [
    ["warn", "Webhooks came that are not understood, or nobody's"],
    ["quiet", "3 events in quarantine: unknown owner"],
    ["quiet", "1 file of customers could not be kept"],
  ]);
});

Deno.test("the worst comes first", () => {
  const attention = [waiting("number_flagged", "2026-11-22T02:00:00Z", "bulk")];
  const health = { faults: ["cron"], messages: { outcome_unknown: 2 }, breakers: [] };
  assert.deepEqual(troubles(health, { attention }).map(({ tone }) => tone), [
    "bad",
    "warn",
    "quiet",
  ]);
});
