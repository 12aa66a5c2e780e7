/** A hold as anyone would explain it. */
export interface ModelHold {
  account: number;
  amount: number;
  captured: number;
  released: number;
  status: "open" | "captured" | "released" | "expired";
  expiresAt: number | null;
  references: string[];
}

/** A cash account as anyone would explain it, and how many entries have moved it. */
export interface ModelAccount {
  posted: number;
  held: number;
  entries: number;
}

interface ModelPayment {
  account: number;
  amount: number;
  refunded: number;
}

interface ModelState {
  /** Minutes since the wallet was opened. */
  now: number;
  debt: number;
  accounts: ModelAccount[];
  /** By their ids. */
  holds: Record<string, ModelHold>;
  /** What was answered, by key. */
  answers: Record<string, string>;
  /** What was credited, by payment. */
  payments: Record<string, ModelPayment>;
  /** Refunds of payments that are not credited yet: their notice, payment and total. */
  waiting: { key: string; payment: string; amount: number }[];
}

/** The wallet of a tenant as anyone would explain it: what the real one must answer, and hold after. */
export class WalletModel {
  #state: ModelState;

  /** Begins with accounts that were topped up once, with so much each. */
  constructor(opened: number[]) {
    this.#state = {
      now: 0,
      debt: 0,
      accounts: opened.map((posted) => ({ posted, held: 0, entries: 1 })),
      holds: {},
      answers: {},
      payments: {},
      waiting: [],
    };
  }

  get state(): Readonly<ModelState> {
    return this.#state;
  }

  copy(): WalletModel {
    const copy = new WalletModel([]);
    copy.#state = structuredClone(this.#state);
    return copy;
  }

  become(other: WalletModel): void {
    this.#state = other.#state;
  }

  pass(minutes: number): void {
    this.#state.now += minutes;
  }

  /** Answers a key once: what is asked under it again is told the first answer. */
  once(key: string, answer: () => string): string {
    const known = this.#state.answers[key];
    if (known !== undefined) return `replayed ${known}`;
    const told = answer();
    this.#state.answers[key] = told.replace("replayed ", "");
    return told;
  }

  /** Credits a payment once, whatever key or notice brings it. */
  credit(payment: string, account: number, amount: number): string {
    const { payments, accounts } = this.#state;
    const known = payments[payment];
    if (known) {
      const isSame = known.account === account && known.amount === amount;
      return isSame ? "replayed completed" : "payment_reused";
    }
    payments[payment] = { account, amount, refunded: 0 };
    accounts[account]!.posted += amount;
    accounts[account]!.entries++;
    this.repayFrom(account);
    return "completed";
  }

  /** Lets the refunds that came before their payment follow it. */
  followPayment(payment: string): void {
    const state = this.#state;
    const due = state.waiting.filter((refund) => refund.payment === payment);
    state.waiting = state.waiting.filter((refund) => refund.payment !== payment);
    due.sort((a, b) => a.key < b.key ? -1 : 1);
    for (const refund of due) this.refund(refund.key, payment, refund.amount);
  }

  /** Takes a payment back up to this total; what is not there is owed. */
  refund(key: string, payment: string, total: number): string {
    const known = this.#state.payments[payment];
    if (!known) {
      this.#state.waiting.push({ key, payment, amount: total });
      return "waiting";
    }
    if (total > known.amount) return "exceeds_payment";
    if (total <= known.refunded) return "replayed";
    this.#pay(known.account, total - known.refunded);
    known.refunded = total;
    return "completed";
  }

  transfer(source: number, destination: number, amount: number): string {
    if (source === destination) return "same_account";
    if (this.#available(source) < amount) return "insufficient_funds";
    const { accounts } = this.#state;
    accounts[source]!.posted -= amount;
    accounts[destination]!.posted += amount;
    accounts[source]!.entries++;
    accounts[destination]!.entries++;
    return "completed";
  }

  /** All of these transfers in their order, or none. */
  link(legs: { account: number; other: number; amount: number }[]): string {
    const tried = this.copy();
    for (const { account, other, amount } of legs) {
      if (tried.transfer(account, other, amount) !== "completed") return "linked_transfer_refused";
    }
    this.become(tried);
    return "completed";
  }

  place(id: string, account: number, amount: number, minutes: number | null = null): string {
    const { debt, now, accounts, holds } = this.#state;
    if (debt > 0) return "debt_outstanding";
    if (minutes !== null && minutes <= 0) return "already_expired";
    if (this.#available(account) < amount) return "insufficient_funds";
    accounts[account]!.held += amount;
    holds[id] = {
      account,
      amount,
      captured: 0,
      released: 0,
      status: "open",
      expiresAt: minutes === null ? null : now + minutes,
      references: [],
    };
    return "completed";
  }

  capture(id: string, amount: number): string {
    const hold = this.#state.holds[id]!;
    return this.#ended(hold) ?? this.#take(hold, amount);
  }

  /** Captures for a reference, after the release too. */
  charge(id: string, amount: number, reference: string): string {
    const hold = this.#state.holds[id]!;
    if (hold.references.includes(reference)) return "already_captured";
    const outcome = this.#take(hold, amount);
    if (outcome === "completed") hold.references.push(reference);
    return outcome;
  }

  release(id: string): string {
    const hold = this.#state.holds[id]!;
    const ended = this.#ended(hold);
    if (ended === undefined) this.#giveBack(hold, "released");
    return ended ?? "completed";
  }

  /** The open holds whose time has passed. */
  due(): string[] {
    const isDue = (hold: ModelHold) => hold.status === "open" && this.#isOver(hold);
    return Object.entries(this.#state.holds).filter(([, hold]) => isDue(hold)).map(([id]) => id);
  }

  expire(id: string): void {
    const hold = this.#state.holds[id]!;
    if (hold.status === "open") this.#giveBack(hold, "expired");
  }

  /** Pays what it can of the debt from this account. */
  repayFrom(account: number): void {
    const state = this.#state;
    const paid = Math.min(state.debt, this.#available(account));
    if (paid <= 0) return;
    state.debt -= paid;
    state.accounts[account]!.posted -= paid;
    state.accounts[account]!.entries++;
  }

  #available(account: number): number {
    const { posted, held } = this.#state.accounts[account]!;
    return posted - held;
  }

  /** Takes what is available, and the rest is owed. */
  #pay(account: number, amount: number): void {
    const paid = Math.min(amount, this.#available(account));
    const of = this.#state.accounts[account]!;
    of.posted -= paid;
    if (paid > 0) of.entries++;
    this.#state.debt += amount - paid;
  }

  #take(hold: ModelHold, amount: number): string {
    if (amount > hold.amount - hold.captured) return "amount_exceeds_hold";
    const account = this.#state.accounts[hold.account]!;
    if (hold.status === "open") {
      account.held -= amount;
      account.posted -= amount;
      account.entries++;
    } else {
      this.#pay(hold.account, amount);
      hold.released -= amount;
    }
    hold.captured += amount;
    if (hold.captured === hold.amount) hold.status = "captured";
    return "completed";
  }

  #giveBack(hold: ModelHold, status: "released" | "expired"): void {
    const rest = hold.amount - hold.captured;
    this.#state.accounts[hold.account]!.held -= rest;
    hold.released = rest;
    hold.status = status;
  }

  #ended(hold: ModelHold): string | undefined {
    if (hold.status !== "open") return `hold_${hold.status}`;
    return this.#isOver(hold) ? "hold_expired" : undefined;
  }

  #isOver({ expiresAt }: ModelHold): boolean {
    return expiresAt !== null && expiresAt <= this.#state.now;
  }
}
