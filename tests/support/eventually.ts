/**
 * Polls until `read` returns something that `accept` takes, and returns it. For what another
 * process does in its own time, which no argument of ours can hasten; nothing else may wait.
 * After `timeoutMs` throws an error that shows what was seen last.
 */
export async function eventually<T>(
  read: () => Promise<T>,
  accept: (seen: T) => boolean = (seen) => Boolean(seen),
  options: { timeoutMs?: number; intervalMs?: number } = {},
): Promise<T> {
  const { timeoutMs = 15_000, intervalMs = 50 } = options;
  const deadline = Date.now() + timeoutMs;
  while (true) {
    const seen = await read();
    if (accept(seen)) return seen;
    if (Date.now() > deadline) {
      throw new Error(`Not seen within ${timeoutMs} ms; last: ${Deno.inspect(seen, { depth: 6 })}`);
    }
    await new Promise((resolve) => setTimeout(resolve, intervalMs));
  }
}
