import type { WalletModel } from "./wallet_model.ts";

/** Something that was asked, as the model does it, and what the wallet answered. */
export interface Told {
  /** Does it to the model; returns what the model answers. */
  apply(model: WalletModel): string;
  /** What was answered; null where it does not say, as of a caller that was cut off. */
  outcome: string | null;
  /** May not have happened at all. */
  mayBeMissing: boolean;
}

/**
 * Explains what was asked at once by an order in which one after the other would have been answered
 * the same, with what was asked `afterwards` following it, and have left the model as `isReal` says
 * that the wallet is. Returns the model after it; undefined when there is no such order.
 */
export function explain(
  model: WalletModel,
  atOnce: Told[],
  afterwards: Told[],
  isReal: (model: WalletModel) => boolean,
): WalletModel | undefined {
  const seen = new Set<string>();

  function search(model: WalletModel, rest: Told[]): WalletModel | undefined {
    const place = `${rest.map((told) => atOnce.indexOf(told))} ${JSON.stringify(model.state)}`;
    if (seen.has(place)) return undefined;
    seen.add(place);
    for (const told of rest) {
      const next = follow(model, [told]);
      if (next === undefined || told.mayBeMissing && isEqual(next, model)) continue;
      const found = search(next, rest.filter((other) => other !== told));
      if (found) return found;
    }
    if (!rest.every(({ mayBeMissing }) => mayBeMissing)) return undefined;
    const end = follow(model, afterwards);
    return end && isReal(end) ? end : undefined;
  }

  return search(model, atOnce);
}

/** The model after these, in their order; undefined when it does not answer what was told. */
function follow(model: WalletModel, told: Told[]): WalletModel | undefined {
  const next = model.copy();
  const isSame = told.every(({ apply, outcome }) => {
    const answer = apply(next);
    return outcome === null || outcome === answer;
  });
  return isSame ? next : undefined;
}

function isEqual(one: WalletModel, other: WalletModel): boolean {
  return JSON.stringify(one.state) === JSON.stringify(other.state);
}
