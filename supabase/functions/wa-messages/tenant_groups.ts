import { createGroupCommit } from "../_shared/queue/group_commit.ts";
import type { GroupCommit } from "../_shared/queue/group_commit.ts";
import type { Acceptance, Enqueue, Submission } from "./acceptance.ts";

/** One message of one tenant; `bytes` is the size of its body. */
export type Submit = (
  tenantId: string,
  submission: Submission,
  bytes: number,
) => Promise<Acceptance>;

interface Sized {
  submission: Submission;
  bytes: number;
}

/** A message weighs 1, and 1 more for every full 8 KiB, so that a batch stays near 4 MiB. */
const BYTES_PER_WEIGHT = 8_192;
const MAX_BATCH_WEIGHT = 500;
const MAX_WAITING_WEIGHT = 4_000;

/**
 * Concurrent single messages of a tenant share one call: its wallet and lanes are hot, and a
 * row lock a message would make a queue of them. Tenants never wait for each other.
 */
export function createTenantGroups(enqueue: Enqueue): Submit {
  const groups = new Map<string, GroupCommit<Sized, Acceptance>>();

  function groupOf(tenantId: string): GroupCommit<Sized, Acceptance> {
    const known = groups.get(tenantId);
    if (known) return known;
    const group = createGroupCommit<Sized, Acceptance>({
      commit: (items) => enqueue(tenantId, items.map(({ submission }) => submission)),
      maxBatch: MAX_BATCH_WEIGHT,
      maxWaiting: MAX_WAITING_WEIGHT,
      weigh: ({ bytes }) => 1 + Math.floor(bytes / BYTES_PER_WEIGHT),
    });
    groups.set(tenantId, group);
    return group;
  }

  return async (tenantId, submission, bytes) => {
    const group = groupOf(tenantId);
    try {
      return await group.submit({ submission, bytes });
    } finally {
      if (group.isIdle()) groups.delete(tenantId);
    }
  };
}
