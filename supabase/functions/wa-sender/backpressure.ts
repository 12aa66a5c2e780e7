import type { Log } from "../_shared/telemetry/log.ts";

export interface BackpressureLimits {
  /** Messages in one claim while the queue is short. */
  fullBatch: number;
  /** Messages in one claim while it is deep: shorter leases and smaller losses when a worker dies. */
  reducedBatch: number;
  /** Beyond this depth claims are reduced, below the other they are full again. */
  highDepth: number;
  lowDepth: number;
}

export interface Backpressure {
  batch(): number;
  /** Takes note of how many messages were left due after a claim. */
  observe(depth: number): void;
}

/** Sizes claims by the depth of the queue; between the two marks they stay as they are. */
export function createBackpressure(limits: BackpressureLimits, log: Pick<Log, "warn" | "info">) {
  const { fullBatch, reducedBatch, highDepth, lowDepth } = limits;
  if (!(lowDepth <= highDepth)) {
    throw new RangeError(`lowDepth must not be above highDepth: ${lowDepth} > ${highDepth}`);
  }
  let isReduced = false;
  const backpressure: Backpressure = {
    batch: () => isReduced ? reducedBatch : fullBatch,
    observe(depth) {
      if (!isReduced && depth > highDepth) {
        isReduced = true;
        log.warn("backpressure.raised", { depth, batch: reducedBatch });
      } else if (isReduced && depth < lowDepth) {
        isReduced = false;
        log.info("backpressure.released", { depth, batch: fullBatch });
      }
    },
  };
  return backpressure;
}
