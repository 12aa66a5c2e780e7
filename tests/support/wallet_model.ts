/** A hold as anyone would explain it. */
export interface ModelHold {
  account: number;
  amount: number;
  captured: number;
  released: number;
  status: "open" | "captured" | "released" | "expired";
  expiresAt: number | null;
  references: Set<string>;
}

/** The wallet of a tenant as anyone would explain it: what the real one must answer, and hold after. */
export class WalletModel {
  /** Minutes since the wallet was opened. */
  now = 0;
  debt = 0;
  readonly posted: number[];
  readonly held: number[];
  readonly holds: ModelHold[] = [];

  constructor(accounts: number) {
    this.posted = Array<number>(accounts).fill(0);
    this.held = Array<number>(accounts).fill(0);
  }

  available(account: number): number {
    return this.posted[account]! - this.held[account]!;
  }

  topUp(account: number, amount: number): string {
    this.posted[account]! += amount;
    this.#repayFrom(account);
    return "completed";
  }

  transfer(source: number, destination: number, amount: number): string {
    if (source === destination) return "same_account";
    if (this.available(source) < amount) return "insufficient_funds";
    this.posted[source]! -= amount;
    this.posted[destination]! += amount;
    return "completed";
  }

  place(account: number, amount: number, minutes: number | null): string {
    if (this.debt > 0) return "debt_outstanding";
    if (minutes !== null && minutes <= 0) return "already_expired";
    if (this.available(account) < amount) return "insufficient_funds";
    this.held[account]! += amount;
    this.holds.push({
      account,
      amount,
      captured: 0,
      released: 0,
      status: "open",
      expiresAt: minutes === null ? null : this.now + minutes,
      references: new Set(),
    });
    return "completed";
  }

  capture(hold: ModelHold, amount: number): string {
    return this.#ended(hold) ?? this.#take(hold, amount);
  }

  /** Captures for a reference, after the release too. */
  charge(hold: ModelHold, amount: number, reference: string): string {
    if (hold.references.has(reference)) return "already_captured";
    const outcome = this.#take(hold, amount);
    if (outcome === "completed") hold.references.add(reference);
    return outcome;
  }

  release(hold: ModelHold): string {
    const ended = this.#ended(hold);
    if (ended === undefined) this.#giveBack(hold, "released");
    return ended ?? "completed";
  }

  expire(): number {
    const due = this.holds.filter((hold) => hold.status === "open" && this.#isOver(hold));
    for (const hold of due) this.#giveBack(hold, "expired");
    return due.length;
  }

  /** Pays the debt from the accounts in this order; returns how many debts it paid something of. */
  repay(accounts: number[]): number {
    const payers = accounts.filter((account) => this.available(account) > 0);
    if (this.debt === 0 || payers.length === 0) return 0;
    for (const account of payers) this.#repayFrom(account);
    return 1;
  }

  #take(hold: ModelHold, amount: number): string {
    const { account } = hold;
    if (amount > hold.amount - hold.captured) return "amount_exceeds_hold";
    if (hold.status === "open") {
      this.held[account]! -= amount;
      this.posted[account]! -= amount;
    } else {
      const paid = Math.min(amount, this.available(account));
      this.posted[account]! -= paid;
      this.debt += amount - paid;
      hold.released -= amount;
    }
    hold.captured += amount;
    if (hold.captured === hold.amount) hold.status = "captured";
    return "completed";
  }

  #giveBack(hold: ModelHold, status: "released" | "expired"): void {
    const rest = hold.amount - hold.captured;
    this.held[hold.account]! -= rest;
    hold.released = rest;
    hold.status = status;
  }

  #ended(hold: ModelHold): string | undefined {
    if (hold.status !== "open") return `hold_${hold.status}`;
    return this.#isOver(hold) ? "hold_expired" : undefined;
  }

  #isOver({ expiresAt }: ModelHold): boolean {
    return expiresAt !== null && expiresAt <= this.now;
  }

  #repayFrom(account: number): void {
    const paid = Math.min(this.debt, this.available(account));
    this.posted[account]! -= paid;
    this.debt -= paid;
  }
}
