/**
 * Finds `count` consecutive TCP ports that were free a moment ago, for a program that is told one
 * port and takes the next ones too. Stays below the range that the system hands out itself.
 */
export function findFreePorts(count: number): number {
  for (let attempt = 0; attempt < 100; attempt++) {
    const first = 20_000 + Math.floor(Math.random() * (12_000 / count)) * count;
    if (areFree(first, count)) return first;
  }
  throw new Error(`Cannot find ${count} free ports between 20000 and 32000`);
}

function areFree(first: number, count: number): boolean {
  const listeners: Deno.Listener[] = [];
  try {
    for (let port = first; port < first + count; port++) {
      listeners.push(Deno.listen({ hostname: "127.0.0.1", port }));
    }
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return false;
    throw error;
  } finally {
    listeners.forEach((listener) => listener.close());
  }
}
