/** One measured number and, where the project promises something about it, the bar it must meet. */
export interface Figure {
  name: string;
  value: number;
  unit: "ms" | "per_second" | "ratio" | "count" | "bytes";
  atMost?: number;
  atLeast?: number;
}

/** Keeps what else the JSON of a result tells: settings, plans, single runs. */
export type Note = (name: string, value: unknown) => void;

/** A benchmark: the claim that it proves, and the run that measures it from nothing to figures. */
export interface Bench {
  claim: string;
  run(note: Note): Promise<Figure[]>;
}

/** Says whether a figure is within its bars. */
export function meetsBars({ value, atMost, atLeast }: Figure): boolean {
  return value <= (atMost ?? Infinity) && value >= (atLeast ?? -Infinity);
}

/** The value below which `share` (0 to 1) of the values lie; throws without values. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
  if (value === undefined) throw new RangeError("percentile() needs at least one value");
  return value;
}
