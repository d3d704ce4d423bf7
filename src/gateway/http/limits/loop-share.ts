// Shares the event loop among connections: so many requests and upgrades begin in one turn of the
// loop at most. The others wait for the next turns, between which the loop reads from the database
// and from all other sockets. Requests and upgrades take turns: thousands of clients that reconnect
// do not keep a probe of `/health/ready` waiting.

/** About 4 ms: a request takes 0.2 to 0.3 ms until it waits for something. */
export const MAX_REQUESTS_PER_TURN = 16;

export type Lane = 'request' | 'upgrade';

/** Begins work, a bounded part of it in each turn of the event loop. */
export class LoopShare {
  readonly #waiting: Readonly<Record<Lane, (() => void)[]>> = { request: [], upgrade: [] };
  #begun = 0;
  #isCounting = false;

  constructor(private readonly maxPerTurn = MAX_REQUESTS_PER_TURN) {}

  /** Whether work of this lane would begin at once. */
  hasRoom(lane: Lane): boolean {
    return this.#begun < this.maxPerTurn && this.#waiting[lane].length === 0;
  }

  /** Begins this work at once, or in a later turn, in the order of its lane. It must not throw. */
  begin(lane: Lane, work: () => void): void {
    if (!this.hasRoom(lane)) {
      this.#waiting[lane].push(work);
      return;
    }
    this.#begun++;
    this.#count();
    work();
  }

  /** Counts from 0 in the next turn. */
  #count(): void {
    if (this.#isCounting) return;
    this.#isCounting = true;
    setImmediate(() => {
      this.#isCounting = false;
      const next = this.#takeNext();
      this.#begun = next.length;
      if (next.length > 0) this.#count();
      for (const work of next) work();
    });
  }

  #takeNext(): (() => void)[] {
    const { request, upgrade } = this.#waiting;
    const half = Math.ceil(this.maxPerTurn / 2);
    const requests = Math.min(request.length, Math.max(half, this.maxPerTurn - upgrade.length));
    return [...request.splice(0, requests), ...upgrade.splice(0, this.maxPerTurn - requests)];
  }
}
