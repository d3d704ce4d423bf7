// What really happened in a history, as no actor of it knows: every committed state of each
// hostname, every assignment that the table made, what agents ran, and how often each weather and
// each interesting state occurred.

/** A state of one hostname: its row's `updated_at`, which no two states share, or undefined. */
export type State = string | undefined;

/**
 * The state of a forged row. It is shown until the next check, as long as it has no assignment that
 * the table did not make.
 */
export const FORGED = 'forged';

/** An invariant that does not hold. */
export class Violation extends Error {
  override readonly name = 'Violation';
}

export interface MadeAssignment {
  readonly hostname: string;
  readonly command: string | null;
}

export class Ledger {
  /**
   * Every committed state of each hostname in the order of commits, also those of one transaction.
   */
  readonly states = new Map<string, State[]>();
  /** Every assignment that the table's trigger ever made, by id. */
  readonly made = new Map<string, MadeAssignment>();
  /** Assignments that stood in the table when the gateway was first installed. */
  readonly adopted = new Set<string>();
  /** Assignments whose acknowledgement was committed, even if the database then went back. */
  readonly acknowledged = new Set<string>();
  /** Payloads that the triggers sent. */
  readonly sent: string[] = [];
  /** How often each weather and state occurred. */
  readonly counts = new Map<string, number>();
  readonly trace: string[] | undefined;
  /** The first invariant that did not hold; the code under test may catch what is thrown. */
  violation: Violation | undefined;
  /** Hostnames that had a later row with a lower version. */
  readonly #crossed = new Set<string>();
  readonly #highest = new Map<string, number>();
  /** Two servers took part: which state is older is not defined. */
  ambiguous = false;
  /** Versions were handed out twice. */
  isRewritten = false;
  /** When the table last changed without a notification: the next full read finds it. */
  lastSilentMs = -1;
  #stamps = 0;

  constructor(traced: boolean) {
    this.trace = traced ? [] : undefined;
  }

  /** A number that no other row of the history has. */
  nextStamp(): number {
    return ++this.#stamps;
  }

  /** @throws Violation */
  fail(message: string): never {
    const violation = new Violation(message);
    this.violation ??= violation;
    throw violation;
  }

  count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  markSilent(nowMs: number): void {
    this.lastSilentMs = nowMs;
  }

  /** Keeps the highest value. */
  most(what: string, value: number): void {
    const key = `most: ${what}`;
    this.counts.set(key, Math.max(this.counts.get(key) ?? 0, value));
  }

  record(hostname: string, state: State, version: number | undefined): void {
    const states = this.states.get(hostname);
    if (states === undefined) this.states.set(hostname, [undefined, state]);
    else states.push(state);
    if (version === undefined) return;
    const highest = this.#highest.get(hostname) ?? -1;
    if (version < highest) {
      this.#crossed.add(hostname);
      this.count('state: versions crossed');
    }
    this.#highest.set(hostname, Math.max(highest, version));
  }

  /** Versions are handed out again: earlier ones say nothing about later ones. */
  rewrite(): void {
    this.isRewritten = true;
    for (const hostname of this.states.keys()) this.#crossed.add(hostname);
  }

  /** Whether a client may, for a moment, see an older state of this hostname after a newer one. */
  mayGoBack(hostname: string): boolean {
    return this.ambiguous || this.#crossed.has(hostname);
  }
}

/** The states that one socket was sent, and the earliest place of each in what was committed. */
export class Witness {
  readonly #places = new Map<string, number>();

  constructor(
    private readonly name: string,
    private readonly ledger: Ledger,
  ) {}

  /** @throws Violation if the state is older than the one before */
  see(hostname: string, state: State): void {
    const states = this.ledger.states.get(hostname) ?? [undefined];
    const at = this.#places.get(hostname) ?? 0;
    const next = states.indexOf(state, at);
    if (next >= 0) {
      this.#places.set(hostname, next);
      return;
    }
    if (state === FORGED || this.ledger.mayGoBack(hostname)) return;
    const known = states.lastIndexOf(state);
    const what = known < 0 ? 'a state that never was' : `state ${known} after state ${at}`;
    this.ledger.fail(
      `backward: ${this.name} was sent ${what} of ${hostname}: ${state ?? 'absent'}`,
    );
  }
}
