// All sessions of this gateway: the sweep over them, their common limit on unsent bytes, and the
// rule that a hostname has one agent. A newer agent replaces the older one.

import type { Identity } from '../auth/token.js';
import { CLOSE, type CloseCode } from '../../protocol/close-codes.js';
import type { Session } from './session.js';
import type { Stream } from './stream.js';

/**
 * How many unsent bytes all sockets together may hold: 1,000 times the limit of one. Beyond it the
 * sessions that hold most are closed with a code to reconnect later, because 20,000 clients that do
 * not read could otherwise hold 5 GB.
 */
export const MAX_TOTAL_UNSENT_BYTES = 256 * 1024 * 1024;

/** Called when agents connect to this gateway and disconnect from it. */
export interface AgentConnectionEvents {
  /** The first agent of the hostname has connected. */
  readonly connected: (hostname: string) => void;
  /** The last agent of the hostname has disconnected. */
  readonly disconnected: (hostname: string) => void;
}

export class Sessions {
  readonly #all = new Set<Session>();
  /** The agent of each hostname. Agents run commands, so a hostname has one; others may be many. */
  readonly #agents = new Map<string, Session>();

  /** The conflated changes of sessions that have ended, by kind. */
  readonly #conflated = { vm: 0, fleet: 0 };

  constructor(private readonly agentEvents?: AgentConnectionEvents) {}

  /** How many sessions are open. */
  get size(): number {
    return this.#all.size;
  }

  [Symbol.iterator](): Iterator<Session> {
    return this.#all.values();
  }

  /** How many changes were conflated since the start, by kind: see `Stream.conflated`. */
  get conflated(): Readonly<Record<Stream['kind'], number>> {
    const sum = { ...this.#conflated };
    for (const { stream } of this.#all) sum[stream.kind] += stream.conflated;
    return sum;
  }

  /** Adds an open session; an agent replaces the older agent of its hostname. */
  add(session: Session): void {
    this.#all.add(session);
    const { role, sub } = session.identity;
    if (role !== 'agent') return;
    const before = this.#agents.get(sub);
    before?.close(CLOSE.replaced);
    this.#agents.set(sub, session);
    if (before === undefined) this.agentEvents?.connected(sub);
  }

  /** Removes a session whose socket has closed. */
  remove(session: Session): void {
    if (this.#all.delete(session)) this.#conflated[session.stream.kind] += session.stream.conflated;
    const { sub } = session.identity;
    if (this.#agents.get(sub) !== session) return;
    this.#agents.delete(sub);
    this.agentEvents?.disconnected(sub);
  }

  /** Sweeps all sessions (see `Session.sweep`) and enforces their common limit on unsent bytes. */
  sweep(nowMs: number, epochMs: number): void {
    let unsentBytes = 0;
    for (const session of this.#all) {
      session.sweep(nowMs, epochMs);
      unsentBytes += session.unsentBytes;
    }
    if (unsentBytes > MAX_TOTAL_UNSENT_BYTES) this.#shed(unsentBytes - MAX_TOTAL_UNSENT_BYTES);
  }

  /** Closes the sessions that hold the most unsent bytes until this many bytes are freed. */
  #shed(bytes: number): void {
    const slowestFirst = [...this.#all].toSorted((a, b) => b.unsentBytes - a.unsentBytes);
    let left = bytes;
    for (const session of slowestFirst) {
      if (left <= 0) return;
      left -= session.unsentBytes;
      session.reject('overloaded', CLOSE.overloaded);
    }
  }

  /** Closes the sessions whose tokens have been revoked. */
  closeRevoked(isRevoked: (identity: Identity) => boolean): void {
    for (const session of this.#all) {
      if (isRevoked(session.identity)) session.close(CLOSE.tokenExpired);
    }
  }

  /** Closes all sessions with the same code. */
  closeAll(close: CloseCode): void {
    for (const session of this.#all) session.close(close);
  }
}
