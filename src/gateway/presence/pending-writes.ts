// Which agents are connected to this gateway, and which connections, pushes and reports are still
// pending: not yet written to the database, or not yet notified to other gateways. Bounded by the
// number of agents, because only the latest of each is kept. A hostname that the database cannot
// store is set aside, and tried again later. Pure: no I/O, no timers.

import { SetAside } from '../stale/set-aside.js';

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
  /** Hostnames that cannot be written, and when the agent last connected or left. */
  readonly #setAside: SetAside<{ readonly hostname: string; readonly atMs: number }>;

  /** @param clock a clock that never jumps, in ms. */
  constructor(clock?: () => number) {
    this.#setAside = new SetAside(clock);
  }

  /** How many hostnames cannot be written. */
  get setAsideCount(): number {
    return this.#setAside.size;
  }

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
    this.#markDirty(hostname, nowMs);
  }

  agentDisconnected(hostname: string, nowMs: number): void {
    this.#connected.delete(hostname);
    this.#markDirty(hostname, nowMs);
  }

  #markDirty(hostname: string, atMs: number): void {
    if (this.#setAside.has(hostname)) this.#setAside.replace(hostname, { hostname, atMs });
    else this.#dirty.set(hostname, atMs);
  }

  /**
   * The database cannot store this hostname of the batch: it is set aside.
   * @returns whether it is the first time, which is to be logged
   */
  reject(hostname: string, { agents }: WriteBatch, nowMs: number): boolean {
    const known = agents.find((agent) => agent.hostname === hostname);
    const atMs = this.#dirty.get(hostname) ?? known?.atMs ?? nowMs;
    this.#dirty.delete(hostname);
    return this.#setAside.add(hostname, { hostname, atMs });
  }

  /** Makes pending again what was set aside for long enough. */
  retryRejected(): void {
    for (const { hostname, atMs } of this.#setAside.takeDue()) this.#dirty.set(hostname, atMs);
  }

  /** The batch is written. */
  confirm({ agents }: WriteBatch): void {
    for (const { hostname } of agents) this.#setAside.succeed(hostname);
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
      if (!this.#dirty.has(hostname)) this.#markDirty(hostname, atMs);
    }
    for (const push of pushes) {
      if (!this.#pushes.has(push.hostname)) this.#pushes.set(push.hostname, push);
    }
    for (const hostname of reported) this.#reports.add(hostname);
  }

  /** The lease is new, so no agent is written under it: every connected agent is dirty. */
  markAllDirty(): void {
    for (const [hostname, atMs] of this.#connected) this.#markDirty(hostname, atMs);
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
