import type postgres from "postgres";

/**
 * Stands in for pg_net's background worker: sends what committed transactions left in
 * net.http_request_queue, once each, and keeps the answers for six hours. As pg_net it takes at
 * most 200 at a time, gives each its own timeout (5 s by default) and never tries again: an error
 * or a timeout is the answer. A request whose sending was cut short by the end of this process is
 * sent again.
 *
 * One difference, chosen: pg_net waits for the slowest request of a batch and then a second more
 * before it takes the next batch. Here a request goes out as soon as one of the 200 places is
 * free, so that one slow endpoint does not make a test of another one slow.
 */
export interface NetDelivery {
  /** Sends what is queued now; resolves when all of that is under way. */
  deliver(): Promise<void>;
  /** Resolves when no request is under way. */
  idle(): Promise<void>;
  prune(): Promise<void>;
  stop(): Promise<void>;
}

interface QueuedRequest {
  id: string;
  method: string;
  url: string;
  headers: Record<string, string> | null;
  body: Uint8Array<ArrayBuffer> | null;
  timeout_milliseconds: number;
}

type Answer = {
  status_code: number | null;
  content_type: string | null;
  headers: Record<string, string> | null;
  content: string | null;
  timed_out: boolean;
  error_msg: string | null;
};

const BATCH_SIZE = 200;

export function createNetDelivery(options: {
  sql: postgres.Sql;
  fetch: typeof fetch;
  log: (line: string) => void;
}): NetDelivery {
  const { sql } = options;
  const underWay = new Map<string, Promise<void>>();
  const stopping = new AbortController();
  let delivering: Promise<void> | undefined;
  let isAskedAgain = false;

  async function deliverAll(): Promise<void> {
    while (!stopping.signal.aborted && underWay.size < BATCH_SIZE) {
      const requests = await sql<QueuedRequest[]>`
        select id::text, method, url, headers, body, timeout_milliseconds
        from net.http_request_queue
        where id <> all (${[...underWay.keys()]}::bigint[])
        order by id
        limit ${BATCH_SIZE - underWay.size}`;
      if (requests.length === 0) return;
      for (const request of requests) underWay.set(request.id, settle(request));
    }
  }

  async function settle(request: QueuedRequest): Promise<void> {
    try {
      const answer = await send(request, options.fetch, stopping.signal);
      if (answer) await record(sql, request.id, answer);
    } catch (error) {
      options.log(`warning: the answer to request ${request.id} is lost: ${error}`);
    } finally {
      const wasFull = underWay.size >= BATCH_SIZE;
      underWay.delete(request.id);
      if (wasFull) deliver().catch(() => {}); // the next tick tries again
    }
  }

  // A wake-up that comes while rows are read may be for a row that the read did not see.
  async function deliver(): Promise<void> {
    if (delivering) {
      isAskedAgain = true;
      return await delivering;
    }
    try {
      do {
        isAskedAgain = false;
        delivering = deliverAll();
        await delivering;
      } while (isAskedAgain);
    } finally {
      delivering = undefined;
    }
  }

  return {
    deliver,
    async idle() {
      while (underWay.size > 0) await Promise.all(underWay.values());
    },
    async prune() {
      await sql`delete from net._http_response where created < now() - interval '6 hours'`;
    },
    async stop() {
      stopping.abort();
      await Promise.all(underWay.values());
    },
  };
}

/** Undefined when cut short by `stopping`: then nothing is known and the request stays queued. */
async function send(
  request: QueuedRequest,
  fetchUrl: typeof fetch,
  stopping: AbortSignal,
): Promise<Answer | undefined> {
  const timeout = AbortSignal.timeout(request.timeout_milliseconds);
  try {
    const response = await fetchUrl(request.url, {
      method: request.method.toUpperCase(),
      headers: { "user-agent": "pg_net/0.20.3", ...request.headers },
      body: request.body,
      signal: AbortSignal.any([timeout, stopping]),
    });
    return {
      status_code: response.status,
      content_type: response.headers.get("content-type"),
      headers: Object.fromEntries(response.headers),
      // A text column takes no NUL.
      content: (await response.text()).replaceAll("\0", ""),
      timed_out: false,
      error_msg: null,
    };
  } catch (error) {
    if (stopping.aborted) return undefined;
    const nothing = { status_code: null, content_type: null, headers: null, content: null };
    if (timeout.aborted) {
      const error_msg = `Timeout of ${request.timeout_milliseconds} ms reached`;
      return { ...nothing, timed_out: true, error_msg };
    }
    return { ...nothing, timed_out: false, error_msg: explain(error) };
  }
}

// fetch() itself only says that it failed.
function explain(error: unknown): string {
  const reason = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return reason instanceof Error ? reason.message : String(reason);
}

async function record(sql: postgres.Sql, id: string, answer: Answer): Promise<void> {
  await sql`
    with sent as (
      delete from net.http_request_queue where id = ${id}
    )
    insert into net._http_response
      (id, status_code, content_type, headers, content, timed_out, error_msg)
    values (
      ${id}, ${answer.status_code}, ${answer.content_type}, ${sql.json(answer.headers)},
      ${answer.content}, ${answer.timed_out}, ${answer.error_msg})`;
}
