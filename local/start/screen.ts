/** Where the start command writes: plain where nobody would see colours. */
export interface Screen {
  line(text?: string): void;
  /** A fault that a person should see now; the same one again within a minute is left out. */
  alarm(text: string): void;
  dim(text: string): string;
  bold(text: string): string;
  green(text: string): string;
  red(text: string): string;
}

const SAME_ALARM_MS = 60_000;
const MOST_ALARMS = 1_000;

/** Colours are for terminals, and not where NO_COLOR is set: https://no-color.org */
export function createScreen(options: {
  write: (text: string) => void;
  now: () => number;
  coloured: boolean;
}): Screen {
  const paint = (code: number) => (text: string) =>
    options.coloured ? `\x1b[${code}m${text}\x1b[0m` : text;
  const shownAt = new Map<string, number>();
  const red = paint(31);
  const line = (text = "") => options.write(`${text}\n`);
  return {
    line,
    alarm(text) {
      const fault = faultOf(text);
      const at = options.now();
      if (at - (shownAt.get(fault) ?? -Infinity) < SAME_ALARM_MS) return;
      if (shownAt.size >= MOST_ALARMS) shownAt.clear();
      shownAt.set(fault, at);
      line(`  ${red("!")} ${withoutControls(text)}`);
    },
    dim: paint(2),
    bold: paint(1),
    green: paint(32),
    red,
  };
}

// Structured lines of one event differ in ids and times only.
function faultOf(text: string): string {
  const event = /^(.*?\| )\{.*"event":"([^"]+)"/.exec(text);
  return event ? `${event[1]}${event[2]}` : text.replaceAll(/\d+/g, "#").slice(0, 160);
}

// A log line may hold what a stranger sent: it must not move the cursor or set the title.
function withoutControls(text: string): string {
  // deno-lint-ignore no-control-regex -- these are what is removed
  return text.replaceAll(/[\x00-\x08\x0b-\x1f\x7f]/g, "").slice(0, 500);
}

/** Shows each step when it is done, with the time that it took. */
export interface Progress {
  /** `slow` is shown once when it takes long: what a person waits for. */
  step<T>(
    title: string,
    work: Promise<T>,
    describe?: (result: T) => string,
    slow?: string,
  ): Promise<T>;
  /** Milliseconds since the first. */
  elapsed(): number;
}

/** Takes note of something to be done later, and gives what takes the note back. */
export type Later = (ms: number, perform: () => void) => () => void;

const SLOW_MS = 4_000;

export function createProgress(screen: Screen, now: () => number, later: Later): Progress {
  const startedAt = now();
  return {
    async step(title, work, describe = () => "", slow) {
      const from = now();
      const forget = slow === undefined ? () => {} : later(SLOW_MS, () => {
        screen.line(`  ${screen.dim(`… ${title.padEnd(14)} ${slow}`)}`);
      });
      const result = await work.finally(forget);
      const took = screen.dim(formatSeconds(now() - from).padStart(7));
      screen.line(`  ${screen.green("✓")} ${title.padEnd(14)} ${took}  ${describe(result)}`);
      return result;
    },
    elapsed: () => now() - startedAt,
  };
}

/** By the real clock. */
export const later: Later = (ms, perform) => {
  const timer = setTimeout(perform, ms);
  return () => clearTimeout(timer);
};

/** 1234 → "1.2 s" */
export function formatSeconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
