import { findLaunchers, identifyProcess } from "./process.ts";

/** Knows when the platform shall stop. */
export interface Stopper {
  readonly asked: Promise<void>;
  isAsked(): boolean;
  close(): void;
}

// A terminal signals all processes at once, and `deno task` hands its own signal on: that is one
// Ctrl-C, not two.
const SAME_REQUEST_MS = 500;
const LOOK_MS = Deno.build.os === "linux" ? 500 : 3_000;

/**
 * Stops at Ctrl-C, SIGTERM, a closed terminal, and when the `npx deno task start` that started this
 * process is gone, since some of its parts die without telling. Asked twice, ends at once: the
 * children see their parent go and end too.
 */
export function watchForStop(onAsked: () => void): Stopper {
  const asked = Promise.withResolvers<void>();
  let askedAt: number | undefined;
  const ask = () => {
    if (askedAt !== undefined && Date.now() - askedAt > SAME_REQUEST_MS) Deno.exit(1);
    if (askedAt !== undefined) return;
    askedAt = Date.now();
    onAsked();
    asked.resolve();
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const signal of signals) Deno.addSignalListener(signal, ask);
  const launchers = findLaunchers(Deno.ppid);
  const timer = setInterval(async () => {
    for (const { pid, identity } of await launchers) {
      if (askedAt === undefined && await identifyProcess(pid) !== identity) ask();
    }
  }, LOOK_MS);
  return {
    asked: asked.promise,
    isAsked: () => askedAt !== undefined,
    close() {
      clearInterval(timer);
      for (const signal of signals) Deno.removeSignalListener(signal, ask);
    },
  };
}
