export type WithinDeadline<Value> =
  | { ok: true; value: Value }
  | { ok: false; timedOut: boolean; error: unknown };

/**
 * Runs `work` for at most `timeoutMs`; then its signal is aborted and the answer does not wait for it
 * any longer, whether it heeds the signal or not.
 */
export async function withDeadline<Value>(
  work: (signal: AbortSignal) => Promise<Value>,
  timeoutMs: number,
  sleep: (ms: number, signal?: AbortSignal) => Promise<void>,
): Promise<WithinDeadline<Value>> {
  const stop = new AbortController();
  const done = new AbortController();
  const timeout = sleep(timeoutMs, done.signal).then(
    () => {
      const error = new DOMException(`Not done within ${timeoutMs} ms`, "TimeoutError");
      stop.abort(error);
      return { ok: false as const, timedOut: true, error };
    },
    () => new Promise<never>(() => {}),
  );
  const answer = work(stop.signal).then(
    (value) => ({ ok: true as const, value }),
    (error: unknown) => ({ ok: false as const, timedOut: false, error }),
  );
  try {
    return await Promise.race([answer, timeout]);
  } finally {
    // With a reason, since the usual one costs an exception with its stack.
    done.abort("done");
  }
}
