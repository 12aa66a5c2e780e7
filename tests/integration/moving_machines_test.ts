import { strict as assert } from "node:assert";
import { assign, setup } from "xstate";

import { fingerprintOf } from "../../supabase/functions/_shared/conversation/fingerprint.ts";
import type {
  MachineVersion,
  Migrate,
} from "../../supabase/functions/_shared/conversation/machine.ts";
import { registerMachines } from "../../supabase/functions/_shared/conversation/registry.ts";
import type { CallRpc } from "../../supabase/functions/_shared/database.ts";
import { migrateConversations } from "../../tools/migrate_conversations.ts";
import {
  advanceAll,
  atTime,
  aWorker,
  saidIn,
  setBot,
  statesIn,
  write,
} from "../support/conversations.ts";
import { startTestDataApi } from "../support/data_api.ts";
import { createDatabase, type Sql } from "../support/database.ts";
import { createTenancy, type Tenancy } from "../support/tenancy.ts";

const NOW = Date.parse("2026-11-22T12:00:00Z");
const HOUR_MS = 3_600_000;

const kit = setup({
  actions: {
    say: (_, _params: { words: string }) => {},
    count: assign({ heard: ({ context }) => context.heard + 1 }),
  },
  types: { context: {} as { heard: number } },
});

/** Listens, and is bored after some hours; version 2 calls listening attentive, and has no other state. */
function aVersion(version: 1 | 2, migrations: Record<number, Migrate> = {}): MachineVersion {
  const listening = version === 1 ? "listening" : "attentive";
  const chart = kit.createMachine({
    id: "listener",
    context: { heard: 0 },
    initial: listening,
    states: {
      [listening]: {
        on: {
          "customer.wrote": { target: listening, reenter: true, actions: "count" },
          "agent.took": version === 1 ? "handed" : undefined,
        },
        entry: { type: "say", params: { words: "heard" } },
        after: { [version * HOUR_MS]: "bored" },
      },
      ...(version === 1 ? { handed: {} } : {}),
      bored: { type: "final" },
    },
  });
  const words = {
    heard: ({ heard }: { heard: number }) => ({
      type: "text",
      content: { body: `v${version}: ${heard}` },
    }),
  };
  return { id: "listener", version, fingerprint: fingerprintOf(chart), chart, words, migrations };
}

const v1 = aVersion(1);
const v2 = aVersion(2, {
  1: (from) => ({ ...from, value: from.value === "listening" ? "attentive" : from.value }),
});

interface Ground {
  sql: Sql;
  call: CallRpc;
  clock: { now: number };
  tenancy: Tenancy;
}

/** A tenant whose bot is version 1 of the listener, with two customers who have written once. */
async function withListeners(test: (ground: Ground) => Promise<void>): Promise<void> {
  await using database = await createDatabase();
  await using api = await startTestDataApi(database);
  const { sql } = database;
  const clock = { now: NOW };
  const call = atTime(api.callRpc, clock);
  const tenancy = await createTenancy(sql);
  await setBot(sql, tenancy, v1);
  for (const phone of ["+15550200001", "+15550200002"]) {
    await write(sql, tenancy, "Hello", { at: clock.now, phone });
  }
  await advanceAll(aWorker(call, registerMachines([v1])));
  await test({ sql, call, clock, tenancy });
}

async function conversationOf(sql: Sql, phone: string): Promise<string> {
  const [row] = await sql`
    select id from switchyard.conversations where customer_phone = ${phone}`;
  return row!.id;
}

async function tell(ground: Ground, phone: string, event: string): Promise<string> {
  const { sql, tenancy, clock } = ground;
  const [row] = await sql`
    select switchyard_api.tell_conversation(
      ${tenancy.tenantId}, ${await conversationOf(sql, phone)}, ${event}, ${new Date(clock.now)})
      as outcome`;
  return row!.outcome;
}

const ORDER = { machine: "listener", from: 1, to: 2, now: NOW };

Deno.test("running conversations stay on their version when a newer one is deployed", () =>
  withListeners(async (ground) => {
    const { sql, call, clock, tenancy } = ground;
    const worker = aWorker(call, registerMachines([v1, v2]));
    await write(sql, tenancy, "Still me", { at: clock.now });
    await write(sql, tenancy, "New", { at: clock.now, phone: "+15550200003" });
    await advanceAll(worker);
    assert.deepEqual(await statesIn(sql, tenancy), ["listening", "listening", "attentive"]);
    assert.deepEqual((await saidIn(sql, tenancy)).slice(-3).sort(), ["v1: 2", "v2: 0", "v2: 1"]);
  }));

Deno.test("a worker that lacks a version leaves its conversations to one that has it", () =>
  withListeners(async ({ sql, call, clock, tenancy }) => {
    await write(sql, tenancy, "Hello?", { at: clock.now });
    assert.equal(await advanceAll(aWorker(call, registerMachines([v2]))), 0);
    assert.equal(await advanceAll(aWorker(call, registerMachines([v1, v2]))), 1);
  }));

Deno.test("a dry run tells what a migration would do and changes nothing; applied, it does that", () =>
  withListeners(async (ground) => {
    const { sql, call, clock, tenancy } = ground;
    const machines = registerMachines([v1, v2]);
    const worker = aWorker(call, machines);
    assert.equal(await tell(ground, "+15550200002", "agent.took"), "told");
    await advanceAll(worker);
    assert.deepEqual(await statesIn(sql, tenancy), ["listening", "handed"]);

    const expected = {
      same: 0,
      mapped: 1,
      overtaken: 0,
      moves: { "listening → attentive": 1 },
    };
    const dry = await migrateConversations(call, machines, { ...ORDER, apply: false });
    const { stuck, ...report } = dry;
    assert.deepEqual(report, expected);
    assert.match(Object.keys(stuck)[0]!, /state handed cannot be restored/);
    assert.deepEqual(await statesIn(sql, tenancy), ["listening", "handed"]);

    await migrateConversations(call, machines, { ...ORDER, apply: true });
    assert.deepEqual(await statesIn(sql, tenancy), ["attentive", "handed"]);
    const timers = await sql`select name, due_at from switchyard.conversation_timers`;
    assert.deepEqual([...timers], [{
      name: "xstate.after.7200000.listener.attentive",
      due_at: new Date(NOW + 2 * HOUR_MS),
    }]);
    await write(sql, tenancy, "And now?", { at: clock.now });
    await advanceAll(worker);
    assert.equal((await saidIn(sql, tenancy)).at(-1), "v2: 2");
    const [line] = await sql`
      select event, from_state, to_state, version from switchyard.conversation_transitions
      where event ->> 'type' = 'conversation.migrated'`;
    assert.deepEqual({ ...line }, {
      event: { type: "conversation.migrated", from: 1 },
      from_state: "listening",
      to_state: "attentive",
      version: 2,
    });
  }));

Deno.test("a conversation that advanced while it was looked at is not migrated from what it was", () =>
  withListeners(async ({ sql, call, clock, tenancy }) => {
    const machines = registerMachines([v1, v2]);
    const racing: CallRpc = async (name, args, options) => {
      if (name === "migrate_conversations") {
        await write(sql, tenancy, "Quick!", { at: clock.now });
        await advanceAll(aWorker(call, machines));
      }
      return await call(name, args, options);
    };
    const report = await migrateConversations(racing, machines, { ...ORDER, apply: true });
    assert.deepEqual([report.mapped, report.overtaken], [2, 1]);
    assert.deepEqual(await statesIn(sql, tenancy), ["listening", "attentive"]);
  }));

Deno.test("a version without a migration from another leaves every conversation where it is", () =>
  withListeners(async ({ call }) => {
    const machines = registerMachines([v1, aVersion(2)]);
    const report = await migrateConversations(call, machines, { ...ORDER, apply: true });
    assert.deepEqual(report.stuck, { "listener@2 has no migration from 1": 2 });
  }));

Deno.test("a machine that cannot be computed is parked after three tries, and harms no other", () =>
  withListeners(async ({ sql, call, clock, tenancy }) => {
    await sql`
      update switchyard.conversation_machines m set snapshot = snapshot || '{"value": "gone"}'
      from switchyard.conversations c
      where c.id = m.conversation_id and c.customer_phone = '+15550200001'`;
    const worker = aWorker(call, registerMachines([v1]));
    await write(sql, tenancy, "Hello?", { at: clock.now });
    await write(sql, tenancy, "Hello?", { at: clock.now, phone: "+15550200002" });
    await advanceAll(worker);
    assert.equal((await saidIn(sql, tenancy)).at(-1), "v1: 2");
    for (const seconds of [10, 60]) {
      clock.now += seconds * 1_000;
      await advanceAll(worker);
    }
    const parked = await sql`
      select parked_reason, wake_at from switchyard.conversation_machines
      where parked_at is not null`;
    assert.deepEqual([...parked], [{ parked_reason: "not_computable", wake_at: null }]);
    await write(sql, tenancy, "Anybody?", { at: clock.now });
    assert.equal(await advanceAll(worker), 0);
  }));

Deno.test("a conversation that is merged into another brings its machine, or what waits for it", () =>
  withListeners(async ({ sql, call, clock, tenancy }) => {
    const worker = aWorker(call, registerMachines([v1]));
    const [one, two] = await Promise.all(
      ["+15550200001", "+15550200002"].map((phone) => conversationOf(sql, phone)),
    );
    const [fresh] = await sql`
      insert into switchyard.conversations (tenant_id, sender_id, customer_user_id)
      values (${tenancy.tenantId}, ${tenancy.senderId}, 'US.9') returning id`;
    const merge = (survivor: string, merged: string) =>
      sql`select switchyard.merge_conversations(${survivor}, ${merged}, ${new Date(clock.now)})`;
    await merge(fresh!.id, one!);
    const states = () =>
      sql`select conversation_id as id, state from switchyard.conversation_machines
        where state is not null order by conversation_id = ${two!}`;
    assert.deepEqual((await states()).map(({ id }) => id), [fresh!.id, two!]);

    await write(sql, tenancy, "Waiting", { at: clock.now, phone: "+15550200002" });
    await merge(fresh!.id, two!);
    assert.equal(await advanceAll(worker), 1);
    assert.equal((await saidIn(sql, tenancy)).at(-1), "v1: 2");
    assert.deepEqual((await states()).map(({ id }) => id), [fresh!.id]);
  }));

Deno.test("a person's event reaches only the tenant's own conversations, and only known events do", () =>
  withListeners(async (ground) => {
    const other = await createTenancy(ground.sql);
    const strange = { ...ground, tenancy: other };
    assert.equal(await tell(strange, "+15550200001", "agent.took"), "conversation_not_found");
    await assert.rejects(tell(ground, "+15550200001", "customer.wrote"), /there is no event/);
    await setBot(ground.sql, ground.tenancy, null);
    assert.equal(await tell(ground, "+15550200001", "agent.took"), "no_machine");
  }));
