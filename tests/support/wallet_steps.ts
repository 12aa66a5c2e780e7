import fc from "fast-check";

/** The accounts of a run's tenant. */
export const ACCOUNTS = 3;
const EPOCH = Date.UTC(2040, 0, 1);

const account = fc.nat(ACCOUNTS - 1);
// Some are equal, so that holds are captured whole.
const amount = fc.oneof(fc.constantFrom(50, 100), fc.integer({ min: 1, max: 300 }));
const payment = fc.constantFrom("one", "two");
const nth = fc.nat(20);
const move = fc.record({ account, other: account, amount });
const wanted = fc.record({
  account,
  amount,
  minutes: fc.option(fc.integer({ min: 0, max: 30 })),
});

const charge = fc.record({
  kind: fc.constant("charge" as const),
  nth,
  amount,
  reference: fc.nat(2),
});

/** Anything that can be asked of a wallet. */
export const anyStep = fc.oneof(
  fc.record({ kind: fc.constant("top_up" as const), account, amount, payment }),
  fc.record({ kind: fc.constant("credit" as const), account, amount, payment }),
  fc.record({ kind: fc.constant("refund" as const), amount, payment }),
  fc.record({ kind: fc.constant("transfer" as const), account, other: account, amount }),
  fc.record({
    kind: fc.constant("link" as const),
    legs: fc.array(move, { minLength: 2, maxLength: 3 }),
  }),
  fc.record({
    kind: fc.constant("hold" as const),
    holds: fc.array(wanted, { minLength: 1, maxLength: 1 }),
  }),
  fc.record({
    kind: fc.constant("holds" as const),
    holds: fc.array(wanted, { minLength: 2, maxLength: 3 }),
  }),
  fc.record({ kind: fc.constant("capture" as const), nth, amount }),
  charge,
  charge,
  fc.record({ kind: fc.constant("release" as const), nth }),
  fc.record({ kind: fc.constant("expire" as const) }),
  fc.record({ kind: fc.constant("repay" as const) }),
);
export type Step = typeof anyStep extends fc.Arbitrary<infer Asked> ? Asked : never;

/** A step with what it is about: under one key it is done once, however often it is asked. */
export interface Asked {
  step: Step;
  key: string;
  /** The hold that it names. */
  holdId: string;
}

/** Whose wallet it is, and when, as minutes after the run's own beginning. */
export interface Scene {
  tenantId: string;
  accounts: string[];
  /** Each run is before all earlier ones of its database: what expires in it is its own. */
  run: number;
  minutes: number;
}

/** Whether only the wallet's owner may do it, by a job of its own. */
export function isOwners({ kind }: Step): boolean {
  return kind === "charge" || kind === "expire" || kind === "repay";
}

/** Whether it is answered under a key, and again when asked again. */
export function hasKey(step: Step): boolean {
  return !isOwners(step);
}

/** The moment of a run's minute. */
export function timeOf({ run }: Scene, minutes: number): string {
  return new Date(EPOCH - run * 86_400_000 + minutes * 60_000).toISOString();
}
