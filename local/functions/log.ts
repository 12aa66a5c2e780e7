/** Appends lines to a file in the order given; keeps at most two files of `maxBytes` each. */
export interface LogFile {
  write(line: string): void;
  /** Resolves when all lines are written. */
  close(): Promise<void>;
}

/** Opens `path` to append to; what is full becomes `path`.1, replacing an earlier one. */
export async function openLogFile(path: string, maxBytes = 20_000_000): Promise<LogFile> {
  const encoder = new TextEncoder();
  let file = await Deno.open(path, { create: true, append: true, mode: 0o600 });
  let size = (await file.stat()).size;
  let waiting: string[] = [];
  let flushing: Promise<void> | undefined;

  async function flush(): Promise<void> {
    while (waiting.length > 0) {
      const bytes = encoder.encode(waiting.join("\n") + "\n");
      waiting = [];
      if (size > 0 && size + bytes.length > maxBytes) await turnOver();
      size += bytes.length;
      for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
    }
    flushing = undefined;
  }

  async function turnOver(): Promise<void> {
    file.close();
    await Deno.rename(path, `${path}.1`);
    file = await Deno.open(path, { create: true, append: true, mode: 0o600 });
    size = 0;
  }

  return {
    write(line) {
      waiting.push(line);
      // A later microtask, so that the lines of one burst share a write.
      flushing ??= Promise.resolve().then(flush);
    },
    async close() {
      await flushing;
      file.close();
    },
  };
}

/** Whether whoever watches the screen should see this line: a warning, an error or a crash. */
export function isAlarming(line: string): boolean {
  if (line.startsWith("{")) return /"level":"(WARN|ERROR)"/.test(line);
  return /^(error|warning)\b|\w*Error:|^Uncaught|panicked/i.test(line);
}
