import type { Turn } from "../_shared/resilience/turnstile.ts";

/** Those who call while a drain is under way: what they call for may be due and belong to nobody yet. */
export interface Callers {
  /** Resolves when somebody has called since the last claim. */
  called(): Promise<void>;
  /** The same, and not sooner after an early claim than others can bear. */
  mayClaimEarly(): Promise<void>;
  /** Somebody has called within the last second: the next one will not be long. */
  areAround(): boolean;
  /** A claim begins, which answers all calls so far; an early one for their sake alone. */
  answer(options: { early: boolean }): void;
}

/** Between two early claims: each takes some of the time in which others are being sent. */
const EARLY_PAUSE_MS = 40;
const AROUND_MS = 1_000;

/** Without a turn nobody ever calls. */
export function createCallers(
  turn: Pick<Turn, "nextCall"> | undefined,
  { uptime, sleep }: { uptime: () => number; sleep: (ms: number) => Promise<void> },
): Callers {
  const never = new Promise<void>(() => {});
  let earlyAtMs = -Infinity;
  let calledAtMs = -Infinity;
  let call = nextCall();

  function nextCall(): Promise<void> {
    return turn?.nextCall().then(() => void (calledAtMs = uptime())) ?? never;
  }

  return {
    called: () => call,
    async mayClaimEarly() {
      await call;
      const pauseMs = earlyAtMs + EARLY_PAUSE_MS - uptime();
      if (pauseMs > 0) await sleep(pauseMs);
    },
    areAround: () => uptime() - calledAtMs < AROUND_MS,
    answer({ early }) {
      if (early) earlyAtMs = uptime();
      call = nextCall();
    },
  };
}
