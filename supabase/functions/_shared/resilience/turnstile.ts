/**
 * Lets one run go at a time. A call that comes while one is under way shares the next run, so that
 * every caller's run began after its call and callers never pile up. A run is told by its signal when
 * somebody waits for the next one: it need not stop, but it should not idle.
 */
export function createTurnstile<Result>(
  run: (somebodyWaits: AbortSignal) => Promise<Result>,
): () => Promise<Result> {
  let current: { ended: Promise<unknown>; waited: AbortController } | null = null;
  let following: Promise<Result> | null = null;

  function start(): Promise<Result> {
    const waited = new AbortController();
    const result = run(waited.signal);
    const ended = result.catch(() => {}).finally(() => current = null);
    current = { ended, waited };
    return result;
  }

  return () => {
    if (current === null) return start();
    following ??= current.ended.then(() => {
      following = null;
      return start();
    });
    current.waited.abort();
    return following;
  };
}
