import { strict as assert } from "node:assert";
import * as z from "zod";
import { parseQuery } from "./parse_body.ts";
import { numberedCursor, pageLimit, queriedInstant } from "./query_fields.ts";

const page = z.object({
  limit: pageLimit({ usual: 50, most: 200 }),
  cursor: numberedCursor().optional(),
  since: queriedInstant().optional(),
});

function read(query: string) {
  return parseQuery(page, new Request(`http://localhost/?${query}`));
}

const accepted: [query: string, value: unknown][] = [
  ["", { limit: 50 }],
  ["limit=1", { limit: 1 }],
  ["limit=200", { limit: 200 }],
  ["limit=7&cursor=0123", { limit: 7, cursor: 123 }],
  ["since=2026-11-22T09:30:00+01:00", { limit: 50, since: "2026-11-22T09:30:00+01:00" }],
  ["since=2026-11-22T09:30:00%2B01:00", { limit: 50, since: "2026-11-22T09:30:00+01:00" }],
];
for (const [query, value] of accepted) {
  Deno.test(`a page is read from "${query}"`, () => {
    assert.deepEqual(read(query), { ok: true, value });
  });
}

const refused = ["limit=0", "limit=201", "limit=1.5", "limit=ten", "cursor=-1", "since=yesterday"];
for (const query of refused) {
  Deno.test(`a page of "${query}" is refused with its place`, async () => {
    const parsed = read(query);
    assert.ok(!parsed.ok);
    const { errors: [{ pointer }] } = await parsed.response.json();
    assert.equal(pointer, `/${query.split("=")[0]}`);
  });
}
