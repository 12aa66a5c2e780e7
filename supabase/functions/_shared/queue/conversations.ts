import type { Advance, Conversation } from "../conversation/advance.ts";
import { toEvent } from "../conversation/event.ts";
import type { StoredSnapshot } from "../conversation/machine.ts";
import type { CallRpc } from "../database.ts";

/** A conversation that this worker alone computes until its lease ends. */
export interface ClaimedConversation extends Conversation {
  id: string;
  tenantId: string;
  /** Fences the claim: only what was computed from this may be written. */
  seq: number;
  lastStepId: number;
  /** How often it could not be computed. */
  failureCount: number;
  /** The database's time of the claim, epoch milliseconds: what the computation takes for now. */
  claimedAt: number;
}

/** Why a conversation could not go on, and when to try again; null gives it up. */
export interface PutOff {
  conversation: ClaimedConversation;
  reason: string;
  delaySeconds: number | null;
}

/** A machine that the database knows by another definition. */
export interface RefusedMachine {
  id: string;
  version: number;
  fingerprint: string;
}

export interface ConversationQueue {
  /** Claims up to `batch` conversations that have something to do on these machines. */
  claim(machines: readonly string[], batch: number): Promise<ClaimedConversation[]>;
  /** Writes advances, all or none; false for each that was overtaken, of which nothing is written. */
  write(advances: { conversation: ClaimedConversation; advance: Advance }[]): Promise<boolean[]>;
  putOff(items: PutOff[]): Promise<void>;
  /** Makes machines known; those that may not run here, with the definition that is known of them. */
  offer(machines: readonly RefusedMachine[]): Promise<RefusedMachine[]>;
  /** Epoch milliseconds at which the next conversation has something to do; null when none has. */
  nextWakeAt(): Promise<number | null>;
}

interface StepRow {
  id: number;
  kind: string;
  content: unknown;
  wamid: string | null;
  at: string;
}

interface TimerRow {
  name: string;
  due_at: string;
  event: { type: string };
}

/** The conversations as SQL knows them: one call a step and batch, never one a conversation. */
export function createConversationQueue(
  call: CallRpc,
  options: { leaseSeconds: number },
): ConversationQueue {
  return {
    async claim(machines, batch) {
      const rows = await call("claim_conversations", {
        machines: [...machines],
        batch,
        lease_seconds: options.leaseSeconds,
      });
      return rows.map((row) => {
        const steps = row.steps as unknown as StepRow[];
        const timers = row.timers as unknown as TimerRow[];
        return {
          id: row.conversation_id,
          tenantId: row.tenant_id,
          seq: row.seq,
          machine: row.machine,
          version: row.version as number | null,
          snapshot: row.snapshot as unknown as StoredSnapshot | null,
          customer: row.customer as unknown as { name: string | null },
          steps: steps.map((step) => ({
            id: step.id,
            at: Date.parse(step.at),
            event: toEvent(step),
          })),
          lastStepId: Math.max(0, ...steps.map(({ id }) => id)),
          timers: timers.map(({ name, due_at, event }) => ({
            name,
            dueAt: Date.parse(due_at),
            event,
          })),
          failureCount: row.failure_count,
          claimedAt: Date.parse(row.claimed_at),
        };
      });
    },
    async write(advances) {
      const rows = await call("advance_conversations", {
        items: advances.map(toItem),
      });
      const outcomes = new Map(rows.map((row) => [row.conversation_id, row.outcome]));
      return advances.map(({ conversation: { id } }) => outcomes.get(id) === "advanced");
    },
    async putOff(items) {
      await call("put_off_conversations", {
        items: items.map(({ conversation: { id, seq }, reason, delaySeconds }) => ({
          conversation_id: id,
          seq,
          reason,
          delay_seconds: delaySeconds,
        })),
      });
    },
    async offer(machines) {
      const rows = await call("offer_machines", { machines });
      return rows.filter(({ is_accepted }) => !is_accepted)
        .map(({ id, version, known_fingerprint }) => ({
          id,
          version,
          fingerprint: known_fingerprint,
        }));
    },
    async nextWakeAt() {
      const at: string | null = await call("next_wake_at", {});
      return at === null ? null : Date.parse(at);
    },
  };
}

function toItem(
  { conversation, advance }: { conversation: ClaimedConversation; advance: Advance },
) {
  const { timers, waitUntil } = advance;
  return {
    conversation_id: conversation.id,
    tenant_id: conversation.tenantId,
    seq: conversation.seq,
    version: advance.version,
    snapshot: advance.snapshot,
    state: advance.state,
    step_ids: advance.stepIds,
    last_step_id: conversation.lastStepId,
    transitions: advance.transitions,
    timers: timers.map(({ name, dueAt, event }) => ({ name, due_at: toIso(dueAt), event })),
    wait_until: waitUntil === null ? null : toIso(waitUntil),
  };
}

function toIso(ms: number): string {
  return new Date(ms).toISOString();
}
