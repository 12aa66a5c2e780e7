/** Dead messages on their way again: in their order, at a pace, once. */
import { strict as assert } from "node:assert";

import { withDatabase } from "../support/database.ts";
import { letDie, plantDead, readDead, redrive } from "../support/dead_letters.ts";
import { later, NOW } from "../support/now.ts";
import { accepted, anItem, claim, enqueue, readMessages, settle } from "../support/outbound.ts";
import { createTenancy } from "../support/tenancy.ts";

Deno.test("a redrive puts dead messages back in the order of their death, at the chosen rate", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    const ids = await letDie(sql, tenancy, ["a", "b", "c"], NOW);
    const answer = await redrive(sql, tenancy.tenantId, {}, { rate: 2, at: later(60_000) });
    assert.equal(answer.messages, 3);
    assert.equal(answer.left, 0);
    const rows = await readMessages(sql, tenancy);
    assert.deepEqual(
      rows.map(({ id, status, due_at }) => [id, status, due_at.getTime()]),
      ids.map((id, nth) => [id, "queued", later(60_000 + nth * 500).getTime()]),
    );
    assert.deepEqual((await claim(sql, 10, later(60_999))).map(({ id }) => id), ids.slice(0, 2));
    assert.deepEqual((await claim(sql, 10, later(61_000))).map(({ id }) => id), ids.slice(2));
  }));

Deno.test("a letter is redriven once, however often it is asked for", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await letDie(sql, tenancy, ["a", "b"], NOW);
    const first = await redrive(sql, tenancy.tenantId, {}, { at: later(60_000) });
    assert.equal(first.messages, 2);
    const again = await redrive(sql, tenancy.tenantId, {}, { at: later(61_000) });
    assert.deepEqual([again.redrive_id, again.messages, again.left], [null, 0, 0]);
    const letters = await sql`select redrive_id, redriven_at from switchyard.dead_letters`;
    assert.deepEqual(
      letters.map((letter) => [letter.redrive_id, letter.redriven_at]),
      [[first.redrive_id, later(60_000)], [first.redrive_id, later(60_000)]],
    );
  }));

Deno.test("redrives on many connections at once move nothing twice", () =>
  withDatabase(async ({ sql, connect }) => {
    const tenancy = await createTenancy(sql);
    await plantDead(sql, tenancy, 300, "a");
    await plantDead(sql, tenancy, 300, "b");
    const filters = [{}, { cause: "a" }, { cause: "b" }, { source: "message" }, {}, { cause: "a" }];
    const answers = await Promise.all(
      filters.map((filter, nth) =>
        redrive(connect(), nth % 2 ? tenancy.tenantId : null, filter, { at: later(1_000) })
      ),
    );
    const moved = answers.reduce((sum, { messages }) => sum + messages, 0);
    const left = await redrive(sql, null, {}, { at: later(2_000) });
    assert.equal(moved + left.messages, 600);
    assert.deepEqual(await readDead(sql, tenancy), []);
    const [lane] = await sql`
      select appended from switchyard.sender_lanes
      where sender_id = ${tenancy.senderId} and share = 'other'`;
    assert.ok(lane!.appended <= 7, "each redrive tells the lane once");
  }));

Deno.test("a redriven message keeps its attempts on record and has all its tries again", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await enqueue(sql, tenancy, [anItem(tenancy)], NOW);
    const error = { cause: "api_unknown" };
    const due_at = NOW.toISOString();
    const first = await claim(sql, 1, NOW);
    await settle(sql, first, () => ({ outcome: "retry", due_at, error }), NOW);
    await settle(sql, await claim(sql, 1, NOW), () => ({ outcome: "rejected", error }), NOW);
    await redrive(sql, tenancy.tenantId, {}, { at: later(1_000) });
    const [row] = await readMessages(sql, tenancy);
    assert.deepEqual([row!.attempt_count, row!.failure_count], [2, 0]);
    const [letter] = await sql`select failure_count from switchyard.dead_letters`;
    assert.equal(letter!.failure_count, 1);
    const [claimed] = await claim(sql, 1, later(1_000));
    assert.equal(claimed!.attempt, 3);
    assert.deepEqual(await settle(sql, first, accepted, later(1_000)), [false]);
    assert.deepEqual(await settle(sql, [claimed!], accepted, later(1_000)), [true]);
    const attempts = await sql`
      select outcome from switchyard.message_attempts order by attempt`;
    assert.deepEqual(attempts.map(({ outcome }) => outcome), ["retry", "rejected", "accepted"]);
  }));

Deno.test("a message that dies again has another letter, which can be redriven too", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    const [id] = await letDie(sql, tenancy, ["a"], NOW);
    await redrive(sql, tenancy.tenantId, {}, { at: later(1_000) });
    const error = { cause: "b" };
    const claims = await claim(sql, 1, later(1_000));
    await settle(sql, claims, () => ({ outcome: "rejected", error }), later(2_000));
    const answer = await redrive(sql, tenancy.tenantId, { cause: "b" }, { at: later(3_000) });
    assert.equal(answer.messages, 1);
    assert.equal((await claim(sql, 1, later(3_000)))[0]!.id, id);
  }));

Deno.test("redriven messages of one pair go one at a time, in their order", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    const ids = await letDie(sql, tenancy, ["a", "a", "a"], NOW, { to: "+15550200001" });
    await redrive(sql, tenancy.tenantId, {}, { rate: 1_000, at: later(1_000) });
    const sent = [];
    for (let nth = 0; nth < 3; nth++) {
      const claims = await claim(sql, 10, later(2_000));
      assert.equal(claims.length, 1);
      await settle(sql, claims, accepted, later(2_000));
      sent.push(claims[0]!.id);
    }
    assert.deepEqual(sent, ids);
  }));

Deno.test("a redrive moves 10,000 letters a call, says what is left and keeps its pace", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await plantDead(sql, tenancy, 10_020);
    const filter = { cause: "api_unknown" };
    const first = await redrive(sql, tenancy.tenantId, filter, { rate: 100, at: later(1_000) });
    assert.deepEqual([first.messages, first.left, first.left_is_complete], [10_000, 20, true]);
    assert.equal(Date.parse(first.ends_at), later(101_000).getTime());
    const second = await redrive(sql, tenancy.tenantId, filter, { rate: 100, at: later(2_000) });
    assert.equal(second.starts_at, first.ends_at);
    assert.deepEqual([second.messages, second.left], [20, 0]);
    const [spread] = await sql`
      select count(distinct due_at)::integer as moments, max(due_at) as last
      from switchyard.messages`;
    assert.equal(spread!.moments, 10_020);
    assert.deepEqual(spread!.last, later(1_000 + 10_019 * 10));
  }));

Deno.test("a redrive rings for the workers that it has work for", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await letDie(sql, tenancy, ["a"], NOW);
    await sql`select vault.create_secret('http://project.test', 'switchyard_project_url')`;
    await sql`select vault.create_secret('sb_secret_x', 'switchyard_secret_key')`;
    const rings = async () => {
      const rows = await sql`delete from net.http_request_queue returning url`;
      return rows.map(({ url }) => url);
    };
    await redrive(sql, tenancy.tenantId, { cause: "b" }, { at: later(1_000) });
    assert.deepEqual(await rings(), []);
    await redrive(sql, tenancy.tenantId, { cause: "a" }, { at: later(1_000) });
    assert.deepEqual(await rings(), ["http://project.test/functions/v1/wa-sender"]);
  }));
