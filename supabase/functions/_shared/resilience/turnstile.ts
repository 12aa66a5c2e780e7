/**
 * Lets one run go at a time. A call that comes while one is under way shares the next run, so that
 * every caller's run began after its call and callers never pile up.
 */
export function createTurnstile<Result>(run: () => Promise<Result>): () => Promise<Result> {
  let current: Promise<unknown> | null = null;
  let following: Promise<Result> | null = null;

  function start(): Promise<Result> {
    const started = run();
    const ended = () => {
      if (current === started) current = null;
    };
    current = started;
    started.then(ended, ended);
    return started;
  }

  return () => {
    if (current === null) return start();
    const begin = () => {
      following = null;
      return start();
    };
    following ??= current.then(begin, begin);
    return following;
  };
}
