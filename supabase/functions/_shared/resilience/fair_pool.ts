/** Runs tasks a bounded number at a time; the keys take turns, so that none stands before another. */
export interface FairPool {
  /** Resolves, or rejects, with the task; it begins when its key's turn comes. */
  run<Result>(key: string, task: () => Promise<Result>): Promise<Result>;
  /** Resolves as soon as fewer tasks than this wait to begin. */
  whenFewerWait(than: number): Promise<void>;
}

interface KeyedQueue {
  running: number;
  tasks: (() => Promise<void>)[];
}

/** At most `maxRunning` tasks in all and `maxPerKey` of one key are under way at once. */
export function createFairPool(
  { maxRunning, maxPerKey }: { maxRunning: number; maxPerKey: number },
): FairPool {
  if (!(maxRunning >= 1)) throw new RangeError(`maxRunning must be at least 1: ${maxRunning}`);
  if (!(maxPerKey >= 1)) throw new RangeError(`maxPerKey must be at least 1: ${maxPerKey}`);
  // A map keeps the order in which keys were put in: the first one that may is next.
  const queues = new Map<string, KeyedQueue>();
  let running = 0;
  let waiting = 0;
  let watchers: { than: number; resolve: () => void }[] = [];

  function fill(): void {
    while (running < maxRunning) {
      const next = takeTurn();
      if (next === null) return;
      start(next);
    }
  }

  function takeTurn(): KeyedQueue | null {
    for (const [key, queue] of queues) {
      if (queue.tasks.length === 0 || queue.running >= maxPerKey) continue;
      queues.delete(key);
      queues.set(key, queue);
      return queue;
    }
    return null;
  }

  function start(queue: KeyedQueue): void {
    const task = queue.tasks.shift()!;
    running += 1;
    waiting -= 1;
    tellWatchers();
    queue.running += 1;
    void task().finally(() => {
      running -= 1;
      queue.running -= 1;
      fill();
    });
  }

  function tellWatchers(): void {
    if (watchers.length === 0) return;
    for (const { than, resolve } of watchers) if (waiting < than) resolve();
    watchers = watchers.filter(({ than }) => waiting >= than);
  }

  function forgetIdle(key: string): void {
    const queue = queues.get(key);
    if (queue && queue.running === 0 && queue.tasks.length === 0) queues.delete(key);
  }

  function run<Result>(key: string, task: () => Promise<Result>): Promise<Result> {
    const queue = queues.get(key) ?? { running: 0, tasks: [] };
    queues.set(key, queue);
    waiting += 1;
    const done = new Promise<Result>((resolve, reject) => {
      queue.tasks.push(() => task().then(resolve, reject));
    });
    fill();
    return done.finally(() => forgetIdle(key));
  }

  function whenFewerWait(than: number): Promise<void> {
    if (waiting < than) return Promise.resolve();
    return new Promise((resolve) => watchers.push({ than, resolve }));
  }

  return { run, whenFewerWait };
}
