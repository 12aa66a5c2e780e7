import { strict as assert } from "node:assert";
import type { AnyMachineSnapshot } from "xstate";

import { machines } from "../../supabase/functions/_shared/conversation/machines.ts";
import { storeSnapshot } from "../../supabase/functions/_shared/conversation/snapshot.ts";
import { begin, react } from "../../supabase/functions/_shared/conversation/transition.ts";
import type { CallRpc } from "../../supabase/functions/_shared/database.ts";
import {
  advanceAll,
  atTime,
  aWorker,
  saidIn,
  setBot,
  statesIn,
  tap,
  write,
} from "../support/conversations.ts";
import { startTestDataApi } from "../support/data_api.ts";
import { createDatabase, type Sql } from "../support/database.ts";
import { createTenancy, type Tenancy } from "../support/tenancy.ts";

const NOW = Date.parse("2026-11-22T12:00:00Z");
const MINUTE_MS = 60_000;
const menu = machines.latest("menu")!;

interface Ground {
  sql: Sql;
  connect: () => Sql;
  clock: { now: number };
  call: CallRpc;
  tenancy: Tenancy;
}

/** A tenant whose bot is the menu, at noon. */
async function withBot(test: (ground: Ground) => Promise<void>): Promise<void> {
  await using database = await createDatabase();
  await using api = await startTestDataApi(database);
  const { sql, connect } = database;
  const clock = { now: NOW };
  const tenancy = await createTenancy(sql);
  await setBot(sql, tenancy, menu);
  await test({ sql, connect, clock, call: atTime(api.callRpc, clock), tenancy });
}

/** Writes a text long enough ago that nothing more is waited for. */
function writeBefore(ground: Ground, text: string, overrides: Record<string, unknown> = {}) {
  return write(ground.sql, ground.tenancy, text, { at: ground.clock.now - 10_000, ...overrides });
}

Deno.test("a customer's first words begin a conversation, and the menu answers once", () =>
  withBot(async (ground) => {
    const { sql, call, tenancy } = ground;
    await writeBefore(ground, "Hello");
    const worker = aWorker(call, machines);
    assert.equal(await advanceAll(worker), 1);
    assert.deepEqual(await statesIn(sql, tenancy), ["awaiting_input.menu"]);
    assert.deepEqual(await saidIn(sql, tenancy), [
      "read",
      "Hello Ann! This is Harbour Bikes. What can we do for you?",
    ]);
    assert.equal(await advanceAll(worker), 0);
  }));

Deno.test("snapshot, history, timers and answers are written together, with their times", () =>
  withBot(async (ground) => {
    const { sql, call, clock } = ground;
    await writeBefore(ground, "Hello");
    await advanceAll(aWorker(call, machines));
    const history = await sql`
      select seq, nth, event ->> 'type' as event, from_state, to_state, path, at,
        jsonb_path_query_array(messages, '$[*].outcome') as outcomes
      from switchyard.conversation_transitions order by seq, nth`;
    assert.deepEqual([...history], [
      {
        seq: 1,
        nth: 1,
        event: "conversation.began",
        from_state: null,
        to_state: "idle",
        path: ["idle"],
        at: new Date(NOW),
        outcomes: [],
      },
      {
        seq: 1,
        nth: 2,
        event: "customer.wrote",
        from_state: "idle",
        to_state: "awaiting_input.menu",
        path: ["processing_intent", "awaiting_input.menu"],
        at: new Date(NOW),
        outcomes: ["accepted", "accepted"],
      },
    ]);
    const timers = await sql`
      select name, due_at, seq from switchyard.conversation_timers`;
    assert.deepEqual([...timers], [{
      name: "xstate.after.1800000.menu.awaiting_input",
      due_at: new Date(clock.now + 30 * MINUTE_MS),
      seq: 1,
    }]);
    const [machine] = await sql`
      select version, seq, wake_at, lease_expires_at from switchyard.conversation_machines`;
    assert.deepEqual({ ...machine }, {
      version: 1,
      seq: 1,
      wake_at: new Date(clock.now + 30 * MINUTE_MS),
      lease_expires_at: null,
    });
    const [left] = await sql`select count(*) from switchyard.conversation_steps`;
    assert.equal(left!.count, 0);
  }));

Deno.test("a worker that dies between computing and writing leaves no trace, and the next one does it", () =>
  withBot(async (ground) => {
    const { sql, call, tenancy, clock } = ground;
    await writeBefore(ground, "Hello");
    const dying: CallRpc = (name, args, options) =>
      name === "advance_conversations"
        ? Promise.reject(new Error("killed"))
        : call(name, args, options);
    await assert.rejects(aWorker(dying, machines).advanceSome(), /killed/);
    assert.deepEqual(await saidIn(sql, tenancy), []);

    const worker = aWorker(call, machines);
    assert.equal(await worker.advanceSome(), 0, "the lease of the dead one still holds");
    clock.now += 20_000;
    assert.equal(await advanceAll(worker), 1);
    assert.equal((await saidIn(sql, tenancy)).length, 2);
  }));

Deno.test("a worker whose answer was lost says nothing twice", () =>
  withBot(async (ground) => {
    const { sql, call, tenancy, clock } = ground;
    await writeBefore(ground, "Hello");
    const forgetful: CallRpc = async (name, args, options) => {
      const answer = await call(name, args, options);
      if (name === "advance_conversations") throw new Error("connection lost");
      return answer;
    };
    await assert.rejects(aWorker(forgetful, machines).advanceSome(), /connection lost/);
    clock.now += 60_000;
    assert.equal(await advanceAll(aWorker(call, machines)), 0);
    assert.equal((await saidIn(sql, tenancy)).length, 2);
  }));

Deno.test("of two workers that computed the same conversation one writes, the other changes nothing", () =>
  withBot(async (ground) => {
    const { sql, call, tenancy, clock } = ground;
    await writeBefore(ground, "Hello");
    const computed = Promise.withResolvers<void>();
    const overtaken = Promise.withResolvers<void>();
    const slow: CallRpc = async (name, args, options) => {
      if (name === "advance_conversations") {
        computed.resolve();
        await overtaken.promise;
      }
      return await call(name, args, options);
    };
    const late = aWorker(slow, machines).advanceSome();
    await computed.promise;
    clock.now += 20_000;
    assert.equal(await aWorker(call, machines).advanceSome(), 1);
    overtaken.resolve();
    await late;
    assert.equal((await saidIn(sql, tenancy)).length, 2);
    const [machine] = await sql`select seq from switchyard.conversation_machines`;
    assert.equal(machine!.seq, 1);
  }));

Deno.test("a timer fires once, in its time, by the path of all events", () =>
  withBot(async (ground) => {
    const { sql, call, tenancy, clock } = ground;
    await writeBefore(ground, "brakes");
    const worker = aWorker(call, machines);
    await advanceAll(worker);
    assert.deepEqual(await statesIn(sql, tenancy), ["awaiting_confirmation.asked"]);
    clock.now += 10 * MINUTE_MS - 1;
    assert.equal(await advanceAll(worker), 0);
    clock.now += 1;
    assert.equal(await advanceAll(worker), 1);
    assert.deepEqual(await statesIn(sql, tenancy), ["awaiting_confirmation.reminded"]);
    assert.equal(await advanceAll(worker), 0);
    clock.now += 20 * MINUTE_MS;
    await Promise.all([advanceAll(worker), advanceAll(aWorker(call, machines))]);
    assert.deepEqual(await statesIn(sql, tenancy), ["completed"]);
    assert.equal((await saidIn(sql, tenancy)).length, 4);
    const [timers] = await sql`select count(*) from switchyard.conversation_timers`;
    assert.equal(timers!.count, 0);
  }));

Deno.test("a timer is cancelled when its state is left, also by words that came before it was due", () =>
  withBot(async (ground) => {
    const { sql, call, tenancy, clock } = ground;
    await writeBefore(ground, "brakes");
    const worker = aWorker(call, machines);
    await advanceAll(worker);
    clock.now += 11 * MINUTE_MS;
    await tap(sql, tenancy, "no", { at: clock.now - 2 * MINUTE_MS });
    await advanceAll(worker);
    assert.deepEqual(await statesIn(sql, tenancy), ["awaiting_input.menu"]);
    const [fired] = await sql`
      select count(*) from switchyard.conversation_transitions
      where event ->> 'type' like 'xstate.after%'`;
    assert.equal(fired!.count, 0);
    const timers = await sql`select name from switchyard.conversation_timers`;
    assert.deepEqual(timers.map(({ name }) => name), ["xstate.after.1800000.menu.awaiting_input"]);
  }));

Deno.test("the tick rings when a timer is due, and not before", () =>
  withBot(async (ground) => {
    const { sql, call, clock } = ground;
    await sql`select vault.create_secret('http://x', 'switchyard_project_url')`;
    await sql`select vault.create_secret('key', 'switchyard_secret_key')`;
    await writeBefore(ground, "Hello");
    await advanceAll(aWorker(call, machines));
    const rings = async (at: number) => {
      await sql`truncate net.http_request_queue`;
      await sql`select switchyard.conversations_tick(${new Date(at)})`;
      const rows = await sql`select url from net.http_request_queue`;
      return rows.map(({ url }) => url);
    };
    assert.deepEqual(await rings(clock.now + 29 * MINUTE_MS), []);
    assert.deepEqual(await rings(clock.now + 30 * MINUTE_MS), [
      "http://x/functions/v1/wa-inbound",
    ]);
  }));

Deno.test("texts that come together are answered once, and not before the customer has paused", () =>
  withBot(async (ground) => {
    const { sql, call, tenancy, clock } = ground;
    const worker = aWorker(call, machines);
    await write(sql, tenancy, "I want", { at: clock.now - 1_000 });
    await advanceAll(worker);
    assert.deepEqual(await statesIn(sql, tenancy), [null]);
    await write(sql, tenancy, "to book", { at: clock.now });
    clock.now += 1_999;
    assert.equal(await advanceAll(worker), 1, "new words are looked at, and waited on");
    assert.deepEqual(await saidIn(sql, tenancy), []);
    clock.now += 1;
    await advanceAll(worker);
    assert.deepEqual(await statesIn(sql, tenancy), ["awaiting_input.choosing"]);
    const [heard] = await sql`
      select event ->> 'text' as text from switchyard.conversation_transitions
      where event ->> 'type' = 'customer.wrote'`;
    assert.equal(heard!.text, "I want\nto book");
  }));

Deno.test("of two answers to a question the last one counts, and both are taken", () =>
  withBot(async (ground) => {
    const { sql, call, tenancy, clock } = ground;
    const worker = aWorker(call, machines);
    await writeBefore(ground, "brakes");
    await advanceAll(worker);
    await tap(sql, tenancy, "yes", { at: clock.now });
    await tap(sql, tenancy, "no", { at: clock.now });
    await advanceAll(worker);
    assert.deepEqual(await statesIn(sql, tenancy), ["awaiting_input.menu"]);
    const [left] = await sql`select count(*) from switchyard.conversation_steps`;
    assert.equal(left!.count, 0);
  }));

Deno.test("an answer that is refused brings its conversation to its error state, and harms no other", () =>
  withBot(async (ground) => {
    const { sql, call, tenancy, clock } = ground;
    await writeBefore(ground, "Hello", { at: clock.now - 25 * 60 * MINUTE_MS });
    await writeBefore(ground, "Hello", { phone: "+15550200002" });
    await advanceAll(aWorker(call, machines));
    assert.deepEqual(await statesIn(sql, tenancy), ["error", "awaiting_input.menu"]);
    await writeBefore(ground, "Hello again");
    await advanceAll(aWorker(call, machines));
    assert.deepEqual((await statesIn(sql, tenancy))[1], "awaiting_input.menu");
  }));

Deno.test("a tenant without a bot, Meta's own agent and a bot that was taken away are left alone", () =>
  withBot(async (ground) => {
    const { sql, call, clock } = ground;
    const other = await createTenancy(sql);
    await write(sql, other, "Hello", { at: clock.now - 10_000 });
    await writeBefore(ground, "Hello", { field: "standby" });
    assert.equal(await advanceAll(aWorker(call, machines)), 0);

    await writeBefore(ground, "Hello");
    await setBot(sql, ground.tenancy, null);
    assert.equal(await advanceAll(aWorker(call, machines)), 0);
    await writeBefore(ground, "Hello");
    assert.equal(await advanceAll(aWorker(call, machines)), 0);
    const [left] = await sql`
      select (select count(*) from switchyard.conversation_steps)
        + (select count(*) from switchyard.conversation_timers) as waiting`;
    assert.equal(left!.waiting, 0);
  }));

Deno.test("a machine that was changed under its version is refused, and its conversations wait", () =>
  withBot(async (ground) => {
    const { sql, call, tenancy } = ground;
    await sql`update switchyard.machines set fingerprint = ${"0".repeat(64)}`;
    await writeBefore(ground, "Hello");
    const log: string[] = [];
    assert.equal(await advanceAll(aWorker(call, machines, log)), 0);
    assert.deepEqual(log.map((line) => JSON.parse(line).event), ["machine.refused"]);
    await sql`update switchyard.machines set fingerprint = ${menu.fingerprint}`;
    assert.equal(await advanceAll(aWorker(call, machines)), 1);
    assert.deepEqual(await statesIn(sql, tenancy), ["awaiting_input.menu"]);
  }));

Deno.test("a customer without a phone number is answered under the user id", () =>
  withBot(async (ground) => {
    const { sql, call, tenancy } = ground;
    await writeBefore(ground, "Hello", { phone: null, user_id: "US.1a2b3c" });
    await advanceAll(aWorker(call, machines));
    assert.deepEqual(await statesIn(sql, tenancy), ["awaiting_input.menu"]);
    const sent = await sql`select distinct recipient from switchyard.messages`;
    assert.deepEqual(sent.map(({ recipient }) => recipient), ["US.1a2b3c"]);
  }));

Deno.test("workers killed at random: every message is taken once and in order, and replaying the history gives the snapshot", () =>
  withBot(async (ground) => {
    const { sql, call, tenancy, clock } = ground;
    const random = mulberry(7);
    const phones = Array.from({ length: 4 }, (_, index) => `+1555030000${index}`);
    // None that leads to a state which replaces answers: there not all are heard.
    const words = ["Hello", "book", "thanks", "florp", "menu", "no", "hours", "person"];
    const heard = new Map<string, string[]>(phones.map((phone) => [phone, []]));
    for (let round = 0; round < 8; round++) {
      for (const phone of phones) {
        const text = `${words[Math.floor(random() * words.length)]} ${round}`;
        heard.get(phone)!.push(text);
        await write(sql, tenancy, text, { at: clock.now, phone });
      }
      clock.now += 30_000;
      // Of four workers at once some die before they write, some after.
      const mortal: CallRpc = async (name, args, options) => {
        if (name !== "advance_conversations") return await call(name, args, options);
        const fate = random();
        if (fate < 0.3) throw new Error("killed before");
        const answer = await call(name, args, options);
        if (fate > 0.7) throw new Error("killed after");
        return answer;
      };
      await Promise.allSettled(
        Array.from({ length: 4 }, () => aWorker(mortal, machines).advanceSome()),
      );
    }
    clock.now += 30_000;
    await advanceAll(aWorker(call, machines));

    const [left] = await sql`select count(*) from switchyard.conversation_steps`;
    assert.equal(left!.count, 0);
    for (const phone of phones) {
      const history = await sql`
        select t.event, t.to_state, m.snapshot
        from switchyard.conversation_transitions t
        join switchyard.conversation_machines m on m.conversation_id = t.conversation_id
        join switchyard.conversations c on c.id = t.conversation_id
        where c.customer_phone = ${phone} order by t.seq, t.nth`;
      const texts = history.flatMap(({ event }) => (event.text ? [event.text] : []));
      assert.deepEqual(texts.join("\n"), heard.get(phone)!.join("\n"));
      assert.deepEqual(replay(history.map(({ event }) => event)), history.at(-1)!.snapshot);
    }
    const said = await sql`
      select idempotency.key from switchyard.idempotency_keys idempotency
      where idempotency.key like 'bot:%'`;
    assert.equal((await saidIn(sql, tenancy)).length, said.length);
    const [planned] = await sql`
      select sum(jsonb_array_length(messages))::integer as count
      from switchyard.conversation_transitions`;
    assert.equal(said.length, planned!.count);
  }));

/** What the machine makes of these events from its beginning on. */
function replay(events: { type: string }[]): unknown {
  let snapshot: AnyMachineSnapshot | null = null;
  for (const event of events) {
    snapshot = event.type === "conversation.began"
      ? begin(menu, { name: null }).snapshot
      : react(menu, { name: null }, snapshot!, event).snapshot;
  }
  return storeSnapshot(snapshot!);
}

/** Chance with a seed, so that a failure can be seen again. */
function mulberry(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
