/** What a run hears of those who call meanwhile, and may do for them. */
export interface Turn {
  /** Resolves at the next call from now on. */
  nextCall(): Promise<void>;
  /** Lets the next run begin although this one has not ended. */
  pass(): void;
}

/**
 * Lets one run go at a time. A call that comes while one is under way shares the next run, so that
 * every caller's run began after its call and callers never pile up. A run is told by its signal when
 * somebody waits for the next one: it need not stop, but it should not idle.
 */
export function createTurnstile<Result>(
  run: (somebodyWaits: AbortSignal, turn: Turn) => Promise<Result>,
): () => Promise<Result> {
  interface Current {
    passed: PromiseWithResolvers<void>;
    waited: AbortController;
    called: PromiseWithResolvers<void>;
  }
  let current: Current | null = null;
  let following: Promise<Result> | null = null;

  function start(): Promise<Result> {
    const own: Current = {
      passed: Promise.withResolvers(),
      waited: new AbortController(),
      called: Promise.withResolvers(),
    };
    const pass = () => {
      // Who waits takes the place over itself, so that nobody who calls now begins beside it.
      if (current === own && following === null) current = null;
      own.passed.resolve();
    };
    current = own;
    const result = run(own.waited.signal, { nextCall: () => own.called.promise, pass });
    result.then(pass, pass);
    return result;
  }

  return () => {
    if (current === null) return start();
    following ??= current.passed.promise.then(() => {
      following = null;
      return start();
    });
    current.waited.abort();
    current.called.resolve();
    current.called = Promise.withResolvers();
    return following;
  };
}
