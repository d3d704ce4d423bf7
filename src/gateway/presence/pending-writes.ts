// Which agents are connected to this gateway, and which connections, pushes and reports are still
// pending: not yet written to the database, or not yet notified to other gateways. Bounded by the
// number of agents, because only the latest of each is kept. Pure: no I/O, no timers.

/** The contents of one write. Times are in ms of a monotonic clock. */
export interface WriteBatch {
  readonly agents: readonly AgentChange[];
  readonly pushes: readonly PendingPush[];
  /**
   * Hostnames that other gateways must re-read although no agent connected or left: the report is
   * already in the database.
   */
  readonly reported: readonly string[];
  /** There may be more to write. */
  readonly full: boolean;
}

export interface AgentChange {
  readonly hostname: string;
  readonly online: boolean;
  readonly atMs: number;
}

export interface PendingPush {
  readonly hostname: string;
  readonly assignmentId: string;
  readonly atMs: number;
}

/** How much of each kind one write carries, so that no statement takes long. */
const MAX_BATCH = 1_000;

/** Every database role may notify any row: an assignment that is no UUID would fail the others. */
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export class PendingWrites {
  /** The connected agents by hostname, and since when. */
  readonly #connected = new Map<string, number>();
  /** The agents whose last connect or disconnect is not written, and when it happened. */
  readonly #dirty = new Map<string, number>();
  readonly #pushes = new Map<string, PendingPush>();
  readonly #reports = new Set<string>();

  /** How many agents are connected. */
  get size(): number {
    return this.#connected.size;
  }

  /** Whether a connect, a disconnect or a report is pending: these are written soon. */
  get dirty(): boolean {
    return this.#dirty.size + this.#reports.size > 0;
  }

  /** Whether nothing is pending, pushes included. */
  get empty(): boolean {
    return !this.dirty && this.#pushes.size === 0;
  }

  /** Whether every connect and disconnect up to this time is written. */
  isWrittenUntil(ms: number): boolean {
    for (const atMs of this.#dirty.values()) if (atMs <= ms) return false;
    return true;
  }

  agentConnected(hostname: string, nowMs: number): void {
    this.#connected.set(hostname, nowMs);
    this.#dirty.set(hostname, nowMs);
  }

  agentDisconnected(hostname: string, nowMs: number): void {
    this.#connected.delete(hostname);
    this.#dirty.set(hostname, nowMs);
  }

  /** An assignment was written to the agent's socket; a repeated push keeps its first time. */
  addPush(hostname: string, assignmentId: string, nowMs: number): void {
    if (!UUID.test(assignmentId) || this.findPushTime(hostname, assignmentId) !== undefined) return;
    this.#pushes.set(hostname, { hostname, assignmentId, atMs: nowMs });
  }

  /** Finds when this assignment was pushed; undefined if that is not pending. */
  findPushTime(hostname: string, assignmentId: string): number | undefined {
    const push = this.#pushes.get(hostname);
    return push?.assignmentId === assignmentId ? push.atMs : undefined;
  }

  /** The push of this assignment was written together with its acknowledgement. */
  removePush(hostname: string, assignmentId: string): void {
    if (this.findPushTime(hostname, assignmentId) !== undefined) this.#pushes.delete(hostname);
  }

  /** The agent's report is written, and other gateways must read it. */
  addReport(hostname: string): void {
    this.#reports.add(hostname);
  }

  /** Takes the next batch out; if its write fails, it must be restored. */
  takeBatch(): WriteBatch {
    const agents = takeEntries(this.#dirty, MAX_BATCH).map(([hostname, atMs]) => ({
      hostname,
      online: this.#connected.has(hostname),
      atMs,
    }));
    const pushes = takeEntries(this.#pushes, MAX_BATCH).map(([, push]) => push);
    const reported = [...this.#reports].slice(0, MAX_BATCH);
    for (const hostname of reported) this.#reports.delete(hostname);
    const full = [agents, pushes, reported].some(({ length }) => length === MAX_BATCH);
    return { agents, pushes, reported, full };
  }

  /** Puts back a batch whose write failed, without what has been replaced since. */
  restore({ agents, pushes, reported }: WriteBatch): void {
    for (const { hostname, atMs } of agents) {
      if (!this.#dirty.has(hostname)) this.#dirty.set(hostname, atMs);
    }
    for (const push of pushes) {
      if (!this.#pushes.has(push.hostname)) this.#pushes.set(push.hostname, push);
    }
    for (const hostname of reported) this.#reports.add(hostname);
  }

  /** The lease is new, so no agent is written under it: every connected agent is dirty. */
  markAllDirty(): void {
    for (const [hostname, atMs] of this.#connected) this.#dirty.set(hostname, atMs);
  }
}

function takeEntries<V>(map: Map<string, V>, count: number): [string, V][] {
  const entries: [string, V][] = [];
  for (const entry of map) {
    if (entries.length === count) break;
    entries.push(entry);
  }
  for (const [key] of entries) map.delete(key);
  return entries;
}
