/** Thrown to a caller for whom there is no room: nothing was done, trying again later is safe. */
export class GroupCommitFull extends Error {
  override name = "GroupCommitFull";
  constructor(maxWaiting: number) {
    super(`Cannot submit: ${maxWaiting} are waiting already`);
  }
}

export interface GroupCommit<Item, Answer> {
  /** Resolves with this item's own answer once its batch is committed. */
  submit(item: Item): Promise<Answer>;
  /** True when nothing is waiting or in flight. */
  isIdle(): boolean;
}

export interface GroupCommitOptions<Item, Answer> {
  /** Answers in the order of the items; a rejection fails all callers of this batch alone. */
  commit: (items: Item[]) => Promise<Answer[]>;
  /** Weight of one batch; an item heavier than that goes alone. */
  maxBatch: number;
  /** Weight that may wait behind the batch in flight; beyond it callers get GroupCommitFull. */
  maxWaiting: number;
  /** Default: every item weighs 1. */
  weigh?: (item: Item) => number;
  /** Also sends what waits beside batches in flight, once it weighs enough; default: never. */
  beside?: { maxInFlight: number; minWeight: number };
}

interface Waiting<Item, Answer> {
  item: Item;
  weight: number;
  resolve: (answer: Answer) => void;
  reject: (reason: unknown) => void;
}

/**
 * Coalesces concurrent submits: the first of an idle group goes at once, and what arrives while it
 * is in flight goes together when that returns, or beside it where the options let it.
 */
export function createGroupCommit<Item, Answer>(
  options: GroupCommitOptions<Item, Answer>,
): GroupCommit<Item, Answer> {
  const { commit, maxBatch, maxWaiting, weigh = () => 1, beside } = options;
  const { maxInFlight, minWeight } = beside ?? { maxInFlight: 1, minWeight: maxBatch };
  if (!(maxBatch >= 1)) throw new RangeError(`maxBatch must be at least 1: ${maxBatch}`);
  if (!(maxWaiting >= 0)) throw new RangeError(`maxWaiting must not be negative: ${maxWaiting}`);
  if (!(maxInFlight >= 1)) throw new RangeError(`maxInFlight must be at least 1: ${maxInFlight}`);
  let queue: Waiting<Item, Answer>[] = [];
  let waitingWeight = 0;
  let inFlight = 0;

  function takeBatch(): Waiting<Item, Answer>[] {
    let count = 0;
    let weight = 0;
    while (count < queue.length && (count === 0 || weight + queue[count]!.weight <= maxBatch)) {
      weight += queue[count]!.weight;
      count += 1;
    }
    const batch = queue.slice(0, count);
    queue = queue.slice(count);
    waitingWeight -= weight;
    return batch;
  }

  const mayGo = () =>
    queue.length > 0 &&
    (inFlight === 0 || (inFlight < maxInFlight && waitingWeight >= minWeight));

  function sendWaiting(): void {
    while (mayGo()) void send(takeBatch());
  }

  async function send(batch: Waiting<Item, Answer>[]): Promise<void> {
    inFlight += 1;
    const answerCallers = await settle(batch, commit);
    inFlight -= 1;
    // Before the callers go on: the last of them may ask whether the group is idle.
    sendWaiting();
    answerCallers();
  }

  return {
    submit(item) {
      const weight = weigh(item);
      if (inFlight > 0 && waitingWeight + weight > maxWaiting) {
        return Promise.reject(new GroupCommitFull(maxWaiting));
      }
      return new Promise((resolve, reject) => {
        queue.push({ item, weight, resolve, reject });
        waitingWeight += weight;
        sendWaiting();
      });
    },
    isIdle: () => inFlight === 0,
  };
}

async function settle<Item, Answer>(
  batch: Waiting<Item, Answer>[],
  commit: (items: Item[]) => Promise<Answer[]>,
): Promise<() => void> {
  try {
    const answers = await commit(batch.map(({ item }) => item));
    if (answers.length !== batch.length) {
      throw new TypeError(`Cannot commit: ${answers.length} answers for ${batch.length} items`);
    }
    return () => batch.forEach(({ resolve }, index) => resolve(answers[index]!));
  } catch (error) {
    return () => batch.forEach(({ reject }) => reject(error));
  }
}
