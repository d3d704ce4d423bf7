// Which agents are connected to this gateway, and what of that, and of what they were sent, the database does not know
// yet. Bounded by the agents there are: of each only the latest is kept. Pure: no I/O, no timers.

/** What one write carries. Times are those of a clock that never jumps. */
export interface Batch {
  readonly agents: readonly AgentChange[];
  readonly pushes: readonly Push[];
  /** Of whom others must read again, beside the agents above: what their agents reported is in the database. */
  readonly reported: readonly string[];
  /** There may be more to write. */
  readonly full: boolean;
}

export interface AgentChange {
  readonly hostname: string;
  readonly online: boolean;
  readonly atMs: number;
}

export interface Push {
  readonly hostname: string;
  readonly assignmentId: string;
  readonly atMs: number;
}

/** How much of each kind one write carries: thousands connect at once, and no statement should take long. */
const MAX_BATCH = 1_000;

/** Anyone may notify any row: what is no UUID would fail the write of the others. */
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export class Roster {
  /** Since when each is here. */
  readonly #here = new Map<string, number>();
  /** When those came or left of whom it is not written. */
  readonly #changed = new Map<string, number>();
  readonly #pushed = new Map<string, Push>();
  readonly #reported = new Set<string>();

  /** How many agents are here. */
  get size(): number {
    return this.#here.size;
  }

  /** Whether the database, or another gateway, does not know yet of an arrival, a departure or a report. */
  get urgent(): boolean {
    return this.#changed.size + this.#reported.size > 0;
  }

  /** Whether the database knows everything. */
  get written(): boolean {
    return !this.urgent && this.#pushed.size === 0;
  }

  /** Whether everything that happened to agents until then is written. */
  isWrittenUntil(ms: number): boolean {
    for (const atMs of this.#changed.values()) if (atMs <= ms) return false;
    return true;
  }

  arrived(hostname: string, nowMs: number): void {
    this.#here.set(hostname, nowMs);
    this.#changed.set(hostname, nowMs);
  }

  left(hostname: string, nowMs: number): void {
    this.#here.delete(hostname);
    this.#changed.set(hostname, nowMs);
  }

  /** An assignment was written to the agent's socket; told again, it keeps its first time. */
  pushed(hostname: string, assignmentId: string, nowMs: number): void {
    if (!UUID.test(assignmentId) || this.pushedAtMs(hostname, assignmentId) !== undefined) return;
    this.#pushed.set(hostname, { hostname, assignmentId, atMs: nowMs });
  }

  /** When this assignment was pushed, as long as that waits to be written. */
  pushedAtMs(hostname: string, assignmentId: string): number | undefined {
    const push = this.#pushed.get(hostname);
    return push?.assignmentId === assignmentId ? push.atMs : undefined;
  }

  /** The push of this assignment has been written, together with something else. */
  pushWritten(hostname: string, assignmentId: string): void {
    if (this.pushedAtMs(hostname, assignmentId) !== undefined) this.#pushed.delete(hostname);
  }

  /** What the agent reported has been written; others do not know it yet. */
  reported(hostname: string): void {
    this.#reported.add(hostname);
  }

  /** What to write next; what cannot be written is to be given back. */
  take(): Batch {
    const agents = take(this.#changed, MAX_BATCH).map(([hostname, atMs]) => ({
      hostname,
      online: this.#here.has(hostname),
      atMs,
    }));
    const pushes = take(this.#pushed, MAX_BATCH).map(([, push]) => push);
    const reported = [...this.#reported].slice(0, MAX_BATCH);
    for (const hostname of reported) this.#reported.delete(hostname);
    const full = [agents, pushes, reported].some(({ length }) => length === MAX_BATCH);
    return { agents, pushes, reported, full };
  }

  /** A write failed. What has happened since stands. */
  giveBack({ agents, pushes, reported }: Batch): void {
    for (const { hostname, atMs } of agents) {
      if (!this.#changed.has(hostname)) this.#changed.set(hostname, atMs);
    }
    for (const push of pushes) {
      if (!this.#pushed.has(push.hostname)) this.#pushed.set(push.hostname, push);
    }
    for (const hostname of reported) this.#reported.add(hostname);
  }

  /** Nothing that was written of agents counts any more: who is here must be written again. */
  forgetWritten(): void {
    for (const [hostname, atMs] of this.#here) this.#changed.set(hostname, atMs);
  }
}

function take<V>(map: Map<string, V>, count: number): [string, V][] {
  const taken: [string, V][] = [];
  for (const item of map) {
    if (taken.length === count) break;
    taken.push(item);
  }
  for (const [key] of taken) map.delete(key);
  return taken;
}
