/** A binary heap of numbers: the smallest is always at hand. */
export interface Heap {
  smallest(): number | undefined;
  takeSmallest(): void;
  add(item: number): void;
  clear(): void;
}

/** An empty heap; adding and taking cost the logarithm of its size. */
export function createHeap(): Heap {
  const items: number[] = [];
  const at = (index: number) => items[index] ?? Infinity;

  function swap(a: number, b: number): void {
    const kept = at(a);
    items[a] = at(b);
    items[b] = kept;
  }

  function raiseLast(): void {
    let index = items.length - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (at(parent) <= at(index)) return;
      swap(index, parent);
      index = parent;
    }
  }

  function sinkFirst(): void {
    let index = 0;
    while (true) {
      const left = 2 * index + 1;
      const smaller = at(left + 1) < at(left) ? left + 1 : left;
      if (at(smaller) >= at(index)) return;
      swap(index, smaller);
      index = smaller;
    }
  }

  return {
    smallest: () => items[0],
    add(item) {
      items.push(item);
      raiseLast();
    },
    takeSmallest() {
      const last = items.pop();
      if (last === undefined || items.length === 0) return;
      items[0] = last;
      sinkFirst();
    },
    clear: () => void items.splice(0),
  };
}
