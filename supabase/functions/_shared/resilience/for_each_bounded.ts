/**
 * Calls `visit` for every item, at most `concurrency` at once, in the order of the items. Resolves
 * when all have settled; then throws the first failure, if there was one.
 */
export async function forEachBounded<Item>(
  items: readonly Item[],
  concurrency: number,
  visit: (item: Item, index: number) => Promise<void>,
): Promise<void> {
  if (!(concurrency >= 1)) throw new RangeError(`concurrency must be at least 1: ${concurrency}`);
  let next = 0;
  const failures: unknown[] = [];
  async function work(): Promise<void> {
    while (next < items.length) {
      const index = next++;
      try {
        await visit(items[index]!, index);
      } catch (error) {
        failures.push(error);
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(concurrency, items.length) }, work));
  if (failures.length > 0) throw failures[0];
}
