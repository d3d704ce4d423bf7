// Decides which request uses a database connection next. Pure: it knows claims, and no connection.
// Agents' reports come before changes, changes before reads, long lists last, and identities take
// turns.

/**
 * What a request does: an agent's report about its assignment, a change, a read, or a list that is
 * read in pieces. The first has the highest priority, because a person waits for the VM.
 */
export const PRIORITIES = ['report', 'change', 'read', 'list'] as const;
export type Priority = (typeof PRIORITIES)[number];

/** A request that needs a connection. Two claims of one identity are different objects. */
export interface Claim {
  /** The role and `sub` of the request. */
  readonly identity: string;
  readonly priority: Priority;
}

/** How many claims run and wait. */
export interface QueueLimits {
  /** All claims that run. */
  readonly running: number;
  /** All but reports, so that a report never waits for all connections. */
  readonly runningBesidesReports: number;
  /** By priority, so that none takes all of their share. */
  readonly runningOfPriority: Readonly<Record<Exclude<Priority, 'report'>, number>>;
  /** By priority, the claims of one identity: its changes never stop its reads. */
  readonly runningOfIdentity: Readonly<Record<Priority, number>>;
  /** The claims of one identity that wait. */
  readonly waitingOfIdentity: number;
  /** The claims of each priority that wait. Reports are bounded by the sockets of agents. */
  readonly waitingOfPriority: number;
}

/** The claims that run and wait. */
export class FairQueue<C extends Claim = Claim> {
  readonly #running = new Set<C>();
  /** The waiting claims of each identity; the identity whose turn is next comes first. */
  readonly #waiting: Readonly<Record<Priority, Map<string, C[]>>> = {
    report: new Map(),
    change: new Map(),
    read: new Map(),
    list: new Map(),
  };

  constructor(private readonly limits: QueueLimits) {}

  /**
   * Adds a claim, which waits until `startNext` returns it.
   * @returns false if too many claims wait, and this one was not added
   */
  add(claim: C): boolean {
    const { priority, identity } = claim;
    const waiting = this.#waiting[priority];
    const own = waiting.get(identity) ?? [];
    if (own.length >= this.limits.waitingOfIdentity) return false;
    if (priority !== 'report' && countAll(waiting) >= this.limits.waitingOfPriority) return false;
    waiting.set(identity, [...own, claim]);
    return true;
  }

  /** Starts the claim whose turn it is; undefined if none waits, or none may run now. */
  startNext(): C | undefined {
    for (const priority of PRIORITIES) {
      const claim = this.#mayRun(priority) ? this.#takeFirst(priority) : undefined;
      if (claim !== undefined) {
        this.#running.add(claim);
        return claim;
      }
    }
    return undefined;
  }

  /** Removes a claim that ended, or that waits no longer. */
  remove(claim: C): void {
    if (this.#running.delete(claim)) return;
    const waiting = this.#waiting[claim.priority];
    const others = (waiting.get(claim.identity) ?? []).filter((other) => other !== claim);
    if (others.length > 0) waiting.set(claim.identity, others);
    else waiting.delete(claim.identity);
  }

  #mayRun(priority: Priority): boolean {
    const { running, runningBesidesReports, runningOfPriority } = this.limits;
    if (this.#running.size >= running) return false;
    if (priority === 'report') return true;
    return (
      this.#count((claim) => claim.priority !== 'report') < runningBesidesReports &&
      this.#count((claim) => claim.priority === priority) < runningOfPriority[priority]
    );
  }

  /** Takes the first claim of the first identity that may run one more, and sends it to the end. */
  #takeFirst(priority: Priority): C | undefined {
    const waiting = this.#waiting[priority];
    for (const [identity, [first, ...rest]] of waiting) {
      const own = this.#count(
        (claim) => claim.identity === identity && claim.priority === priority,
      );
      if (first === undefined || own >= this.limits.runningOfIdentity[priority]) continue;
      waiting.delete(identity);
      if (rest.length > 0) waiting.set(identity, rest);
      return first;
    }
    return undefined;
  }

  #count(matches: (claim: C) => boolean): number {
    let count = 0;
    for (const claim of this.#running) if (matches(claim)) count++;
    return count;
  }
}

function countAll(waiting: ReadonlyMap<string, readonly unknown[]>): number {
  let count = 0;
  for (const { length } of waiting.values()) count += length;
  return count;
}
