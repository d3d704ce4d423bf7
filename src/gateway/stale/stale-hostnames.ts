// Which hostnames of an in-memory copy must be read again from the database: some of them, or all.
// A hostname that is added again while it is being read stays in the set, and is read once more.
// Pure: no I/O, no timers.

/** A read: of everything, or of the rows of these hostnames. */
export type ReadRequest =
  { readonly kind: 'all' } | { readonly kind: 'rows'; readonly hostnames: readonly string[] };

/** How many hostnames one read asks for at most. */
const MAX_PER_READ = 1_000;

export class StaleHostnames {
  readonly #hostnames = new Set<string>();
  #all = true;

  /** @param maxHostnames above this number everything counts as stale: one full read costs less. */
  constructor(private readonly maxHostnames = Infinity) {}

  /** How many hostnames are stale; undefined if all are. */
  get count(): number | undefined {
    return this.#all ? undefined : this.#hostnames.size;
  }

  add(hostname: string): void {
    this.#hostnames.add(hostname);
    if (this.#hostnames.size > this.maxHostnames) this.#all = true;
  }

  addAll(): void {
    this.#all = true;
  }

  /** Takes the next read out of the set; undefined if nothing is stale. */
  take(): ReadRequest | undefined {
    if (this.#all) {
      this.#all = false;
      this.#hostnames.clear();
      return { kind: 'all' };
    }
    const hostnames: string[] = [];
    for (const hostname of this.#hostnames) {
      if (hostnames.length === MAX_PER_READ) break;
      hostnames.push(hostname);
      this.#hostnames.delete(hostname);
    }
    return hostnames.length === 0 ? undefined : { kind: 'rows', hostnames };
  }

  /** Puts back what a failed or abandoned read asked for. */
  restore(request: ReadRequest): void {
    if (request.kind === 'all') this.addAll();
    else for (const hostname of request.hostnames) this.add(hostname);
  }
}
