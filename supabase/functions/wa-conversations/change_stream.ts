import * as z from "zod";
import type { CallRpc } from "../_shared/database.ts";
import { problem } from "../_shared/http/problem.ts";
import type { Log } from "../_shared/telemetry/log.ts";

export interface ChangeStreamDeps {
  call: CallRpc;
  now: () => number;
  sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
  /** Aborts when the isolate is about to end: streams end first, and their clients come again. */
  stopping: AbortSignal;
}

/** An isolate ends long after this; the client comes again and goes on where it was. */
const MAX_STREAM_MS = 120_000;
const POLL_MS = 1_000;
/** Under the minute after which proxies give up on a silent connection. */
const HEARTBEAT_MS = 15_000;
const RETRY_MS = 1_000;
const PAGE = 100;
const CURSOR = /^\d{1,19}\.\d{1,18}$/;

const opening = z.discriminatedUnion("outcome", [
  z.object({
    outcome: z.literal("opened"),
    stream_id: z.string(),
    resumes: z.boolean(),
    cursor: z.string().nullable(),
  }),
  z.object({ outcome: z.literal("too_many") }),
]);
type Opened = Extract<z.output<typeof opening>, { outcome: "opened" }>;

const page = z.object({
  changes: z.array(
    z.object({ cursor: z.string(), kind: z.string(), data: z.unknown() }),
  ),
  is_ready: z.boolean(),
  cursor: z.string(),
}).nullable();

/**
 * What changes in a tenant's conversations, as server-sent events, until the client leaves, the time
 * is over or the isolate stops. Who comes again with Last-Event-ID misses nothing; where that cannot be,
 * `ready` says so with `resumed: false`, and everything is to be read again.
 */
export async function openChangeStream(
  deps: ChangeStreamDeps,
  tenantId: string,
  request: Request,
  log: Log,
): Promise<Response> {
  const last = request.headers.get("last-event-id");
  const cursor = last !== null && CURSOR.test(last) ? last : null;
  const opened = opening.parse(
    await deps.call("open_change_stream", { tenant_id: tenantId, cursor }),
  );
  if (opened.outcome === "too_many") {
    return problem(429, "too_many_requests", "The tenant has 20 streams open.", {
      headers: { "retry-after": "30" },
    });
  }
  const leaving = new AbortController();
  const signal = AbortSignal.any([request.signal, deps.stopping, leaving.signal]);
  const frames = tellChanges(deps, tenantId, opened, signal, log);
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { value, done } = await frames.next();
      if (done) controller.close();
      else controller.enqueue(encoder.encode(value));
    },
    async cancel() {
      leaving.abort();
      await frames.return(undefined);
    },
  });
  return new Response(body, {
    headers: {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
    },
  });
}

async function* tellChanges(
  deps: ChangeStreamDeps,
  tenantId: string,
  opened: Opened,
  signal: AbortSignal,
  log: Log,
): AsyncGenerator<string, void> {
  const endsAt = deps.now() + MAX_STREAM_MS;
  const stream_id = opened.stream_id;
  let { cursor } = opened;
  let isReady = false;
  let toldAt = deps.now();
  try {
    yield `retry: ${RETRY_MS}\n\n`;
    while (!signal.aborted && deps.now() < endsAt) {
      const read = page.parse(
        await deps.call("read_changes", {
          tenant_id: tenantId,
          stream_id,
          cursor,
          page_limit: PAGE,
        }),
      );
      if (read === null) return;
      if (!isReady && (opened.resumes || read.is_ready)) {
        isReady = true;
        // The place before what was just read: who leaves now has not had it.
        yield frame("ready", { resumed: opened.resumes }, cursor ?? read.cursor);
      }
      cursor = read.cursor;
      for (const change of read.changes) yield frame(change.kind, change.data, change.cursor);
      if (read.changes.length > 0) toldAt = deps.now();
      else {
        if (isReady && deps.now() - toldAt >= HEARTBEAT_MS) {
          toldAt = deps.now();
          // The id moves on without an event: the place does not grow too old to resume.
          yield `: heartbeat\nid: ${cursor}\n\n`;
        }
        await deps.sleep(POLL_MS, signal).catch(() => {});
      }
    }
  } catch (error) {
    // The client comes again with its last id.
    log.warn("changes.unreadable", { error });
  } finally {
    await deps.call("close_change_stream", { tenant_id: tenantId, stream_id })
      .catch((error) => log.warn("changes.unreadable", { error }));
  }
}

function frame(event: string, data: unknown, id?: string): string {
  return `event: ${event}\n${id === undefined ? "" : `id: ${id}\n`}data: ${
    JSON.stringify(data)
  }\n\n`;
}
