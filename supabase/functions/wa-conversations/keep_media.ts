import type { Bytes } from "../_shared/bytes.ts";
import type { ClaimedMedia, MediaOutcome, MediaQueue } from "../_shared/queue/media.ts";
import { backoffMs } from "../_shared/resilience/backoff.ts";
import type { Log } from "../_shared/telemetry/log.ts";
import { limitOf, MediaError, openAtMeta, verifyMedia } from "./media_source.ts";
import type { MediaSourceDeps, OpenedMedia, Refusal } from "./media_source.ts";
import type { MediaStore } from "./media_store.ts";

export interface KeepingDeps extends MediaSourceDeps {
  store: MediaStore;
  queue: MediaQueue;
  now: () => number;
  random: () => number;
  log: Log;
}

/** What one drain may use before it stops and hands on. */
export interface KeepingLimits {
  /** Files under way at once. */
  concurrency: number;
  maxFiles: number;
  maxDurationMs: number;
}

export interface KeepingReport {
  claimed: number;
  stored: number;
  deleted: number;
  gone: number;
  failed: number;
  retried: number;
  /** Settled by nobody here: the lease had ended. */
  superseded: number;
  duration_ms: number;
}

/** Up to this a file is verified before Storage hears of it; a longer one goes through as it comes. */
const MAX_BYTES_IN_MEMORY = 16 * 1024 * 1024;
/** What may be a mistake on the way is believed after so many attempts. */
const BELIEVED_AFTER = 3;
/** With twenty attempts in all this covers the seven days for which Meta keeps a file. */
const BACKOFF = { baseMs: 60_000, capMs: 12 * 60 * 60_000 };
const MIN_DELAY_SECONDS = 10;

/** Never otherwise: another attempt would find the same. */
const FINAL: ReadonlySet<Refusal> = new Set(["wrong_type", "too_large", "foreign_address"]);

/**
 * Fetches the files that tenants want kept from Meta into Storage, and deletes those whose time is over,
 * until none is due, the limits are reached or the signal asks to stop. Whatever ends it, a file is
 * claimed again after its lease, and storing it twice stores it once.
 */
export async function keepMedia(
  deps: KeepingDeps,
  limits: KeepingLimits,
  stop: AbortSignal,
): Promise<KeepingReport> {
  const startedAt = deps.now();
  const counts = { stored: 0, deleted: 0, gone: 0, failed: 0, retried: 0, superseded: 0 };
  let claimedCount = 0;
  const isSpent = () =>
    claimedCount >= limits.maxFiles || deps.now() - startedAt >= limits.maxDurationMs;
  while (!stop.aborted && !isSpent()) {
    const claimed = await deps.queue.claim(
      Math.min(limits.concurrency, limits.maxFiles - claimedCount),
    );
    if (claimed.length === 0) break;
    claimedCount += claimed.length;
    // All of them, also where the database is away for one: what was fetched is written down.
    const all = await Promise.allSettled(claimed.map(async (media) => {
      const outcome = await carryOut(deps, media);
      if (!await deps.queue.settle(media, outcome)) counts.superseded += 1;
      else counts[outcome.outcome === "retry" ? "retried" : outcome.outcome] += 1;
    }));
    const failed = all.find((it) => it.status === "rejected");
    if (failed) throw failed.reason;
  }
  if (isSpent()) await deps.queue.handOn();
  return { claimed: claimedCount, ...counts, duration_ms: deps.now() - startedAt };
}

async function carryOut(deps: KeepingDeps, media: ClaimedMedia): Promise<MediaOutcome> {
  try {
    return media.action === "delete" ? await remove(deps, media) : await keep(deps, media);
  } catch (error) {
    if (error instanceof MediaError) return believe(deps, media, "failed", error.refusal);
    deps.log.warn("media.put_off", { media_file_id: media.id, attempt: media.attempt, error });
    return retryLater(deps, media, "transfer");
  }
}

async function remove({ store }: KeepingDeps, { path }: ClaimedMedia): Promise<MediaOutcome> {
  await store.remove(path);
  return { outcome: "deleted" };
}

async function keep(deps: KeepingDeps, media: ClaimedMedia): Promise<MediaOutcome> {
  const opened = await openAtMeta(deps, media.told);
  if (opened.ok) return await transfer(deps, media, opened.file);
  const { refusal } = opened;
  if (refusal === "gone") return believe(deps, media, "gone", refusal);
  if (FINAL.has(refusal)) return { outcome: "failed", reason: refusal };
  return retryLater(deps, media, refusal);
}

async function transfer(
  { store }: KeepingDeps,
  { told, path }: ClaimedMedia,
  file: OpenedMedia,
): Promise<MediaOutcome> {
  const verified = verifyMedia(told);
  const body = file.body.pipeThrough(verified.stream);
  const isSmall = (file.sizeBytes ?? limitOf(told)) <= MAX_BYTES_IN_MEMORY;
  try {
    const written = await store.write(path, file.mimeType, isSmall ? await collect(body) : body);
    if (written === "too_large") return { outcome: "failed", reason: "too_large_for_storage" };
  } catch (error) {
    // An upload that was cut off says so, and not that the file was wrong.
    throw verified.failure() ?? error;
  }
  const { sha256, sizeBytes } = verified.tell();
  return { outcome: "stored", size_bytes: sizeBytes, sha256, mime_type: file.mimeType };
}

async function collect(body: ReadableStream<Uint8Array>): Promise<Bytes> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.byteLength;
    // Whoever said how long it is was wrong.
    if (size > MAX_BYTES_IN_MEMORY) throw new MediaError("too_large", "it is longer than was said");
    chunks.push(chunk);
  }
  const content = new Uint8Array(size);
  let offset = 0;
  for (const chunk of chunks) {
    content.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return content;
}

function believe(
  deps: KeepingDeps,
  media: ClaimedMedia,
  outcome: "gone" | "failed",
  reason: string,
): MediaOutcome {
  const isFinal = media.attempt >= BELIEVED_AFTER || reason === "too_large";
  return isFinal ? { outcome, reason } : retryLater(deps, media, reason);
}

function retryLater(
  { random }: KeepingDeps,
  { attempt }: ClaimedMedia,
  reason: string,
): MediaOutcome {
  const delayMs = backoffMs(attempt, random, BACKOFF);
  // Half of it for certain, so that twenty attempts span the days that they are meant for.
  const halfMs = Math.min(BACKOFF.capMs, BACKOFF.baseMs * 2 ** (attempt - 1)) / 2;
  const seconds = Math.ceil((halfMs + delayMs / 2) / 1_000);
  return { outcome: "retry", delay_seconds: Math.max(seconds, MIN_DELAY_SECONDS), reason };
}
