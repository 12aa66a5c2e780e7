import { join } from "node:path";

import { isAlarming, type LogFile, openLogFile } from "../functions/log.ts";

/** Where each part writes what it says. */
export interface Logs extends AsyncDisposable {
  readonly dir: string;
  /** Writes to `<name>.log`; what is alarming goes on the screen too. */
  of(name: LogName): (line: string) => void;
  alarm(line: string): void;
}

const LOG_NAMES = ["migrations", "platform", "postgres", "simulator", "ticker"] as const;
export type LogName = typeof LOG_NAMES[number];

export async function openLogs(
  dir: string,
  now: () => number,
  alarm: (line: string) => void,
): Promise<Logs> {
  await Deno.mkdir(dir, { recursive: true });
  const files = new Map<LogName, LogFile>();
  for (const name of LOG_NAMES) files.set(name, await openLogFile(join(dir, `${name}.log`)));
  return {
    dir,
    of: (name) => (line) => {
      files.get(name)?.write(`${new Date(now()).toISOString()} ${line}`);
      if (isAlarming(line)) alarm(`${name} | ${line}`);
    },
    alarm,
    async [Symbol.asyncDispose]() {
      for (const file of files.values()) await file.close();
    },
  };
}
