import { strict as assert } from "node:assert";
import { createReceivedLog, type Received } from "./received_log.ts";

const aCall = (change: Partial<Received> = {}): Received => ({
  at: 0,
  phone_number_id: "1",
  to: "+15550200001",
  type: "text",
  access_token: "t",
  outcome: "accepted",
  code: null,
  wamid: "wamid.x",
  body: "{}",
  ...change,
});

Deno.test("the log keeps the last calls and counts all", () => {
  const log = createReceivedLog(3);
  for (let at = 1; at <= 5; at++) log.add(aCall({ at }));
  assert.deepEqual(log.page({}, 0, 99).map(({ at, cursor }) => [at, cursor]), [[3, 3], [4, 4], [
    5,
    5,
  ]]);
  assert.equal(log.counts().received, 5);
});

Deno.test("pages follow each other without gap and without repetition", () => {
  const log = createReceivedLog(100);
  for (let at = 1; at <= 10; at++) log.add(aCall({ at }));
  const seen: number[] = [];
  for (let since = 0, more = true; more;) {
    const page = log.page({}, since, 4);
    seen.push(...page.map(({ at }) => at));
    since = page.at(-1)?.cursor ?? since;
    more = page.length > 0;
  }
  assert.deepEqual(seen, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
});

Deno.test("a filter looks at number, recipient, type and outcome", () => {
  const log = createReceivedLog(100);
  log.add(aCall());
  log.add(aCall({ phone_number_id: "2" }));
  log.add(aCall({ to: "+1 (555) 020-0002" }));
  log.add(aCall({ type: "image" }));
  log.add(aCall({ outcome: "refused", code: 100 }));
  const cursors = (filter: Parameters<typeof log.page>[0]) =>
    log.page(filter, 0, 99).map(({ cursor }) => cursor);
  assert.deepEqual(cursors({ phone_number_id: "2" }), [2]);
  assert.deepEqual(cursors({ to: "15550200002" }), [3]);
  assert.deepEqual(cursors({ type: "image" }), [4]);
  assert.deepEqual(cursors({ outcome: "refused" }), [5]);
});

Deno.test("counts are kept by outcome, number and code", () => {
  const log = createReceivedLog(1);
  log.add(aCall());
  log.add(aCall({ phone_number_id: "2", outcome: "refused", code: 100 }));
  const { accepted, refused, by_number, by_code } = log.counts();
  assert.deepEqual([accepted, refused, by_code], [1, 1, { 100: 1 }]);
  assert.equal(by_number["2"]?.refused, 1);
});

Deno.test("next() resolves at the next call", async () => {
  const log = createReceivedLog(10);
  const next = log.next();
  log.add(aCall());
  await next;
});

Deno.test("a cleared log begins at the first cursor again", () => {
  const log = createReceivedLog(10);
  log.add(aCall());
  log.clear();
  log.add(aCall());
  assert.deepEqual(log.page({}, 0, 9).map(({ cursor }) => cursor), [1]);
  assert.equal(log.counts().received, 1);
});
