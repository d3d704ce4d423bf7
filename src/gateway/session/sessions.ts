// All sessions of this gateway: the sweep over them, what they may hold together, the newer agent that replaces an
// older one, and the end of all.

import { CLOSE, type CloseCode } from '../../protocol/close-codes.js';
import type { Session } from './session.js';
import type { Stream } from './stream.js';

/**
 * How much all sockets together may hold unsent: a thousand full shares. Beyond it those who hold most are told to come
 * back later, because 20,000 readers that read nothing could otherwise keep 5 GB.
 */
export const MAX_UNSENT_BYTES_IN_ALL = 256 * 1024 * 1024;

/** The agents of this gateway, coming and going. */
export interface AgentConnectionEvents {
  readonly connected: (hostname: string) => void;
  readonly disconnected: (hostname: string) => void;
}

export class Sessions {
  readonly #all = new Set<Session>();
  /** An agent runs commands, so a hostname has one; who watches only may be many. */
  readonly #agents = new Map<string, Session>();

  /** @param agents told when the first agent of a hostname comes, and when its last is gone. */
  constructor(private readonly agents?: AgentConnectionEvents) {}

  /** Of sessions that have ended. */
  readonly #conflated = { vm: 0, fleet: 0 };

  get size(): number {
    return this.#all.size;
  }

  [Symbol.iterator](): Iterator<Session> {
    return this.#all.values();
  }

  /** How many changes were conflated, for all sessions there ever were: see `Stream.conflated`. */
  get conflated(): Readonly<Record<Stream['kind'], number>> {
    const sum = { ...this.#conflated };
    for (const { stream } of this.#all) sum[stream.kind] += stream.conflated;
    return sum;
  }

  add(session: Session): void {
    this.#all.add(session);
    const { role, sub } = session.identity;
    if (role !== 'agent') return;
    const before = this.#agents.get(sub);
    before?.close(CLOSE.replaced);
    this.#agents.set(sub, session);
    if (before === undefined) this.agents?.connected(sub);
  }

  remove(session: Session): void {
    if (this.#all.delete(session)) this.#conflated[session.stream.kind] += session.stream.conflated;
    const { sub } = session.identity;
    if (this.#agents.get(sub) !== session) return;
    this.#agents.delete(sub);
    this.agents?.disconnected(sub);
  }

  /** See `Session.sweep`. */
  sweep(nowMs: number, epochMs: number): void {
    let unsentBytes = 0;
    for (const session of this.#all) {
      session.sweep(nowMs, epochMs);
      unsentBytes += session.unsentBytes;
    }
    if (unsentBytes > MAX_UNSENT_BYTES_IN_ALL) this.#shed(unsentBytes - MAX_UNSENT_BYTES_IN_ALL);
  }

  /** Ends the sessions that hold most unsent, until so many bytes less are held. */
  #shed(bytes: number): void {
    const slowestFirst = [...this.#all].toSorted((a, b) => b.unsentBytes - a.unsentBytes);
    let left = bytes;
    for (const session of slowestFirst) {
      if (left <= 0) return;
      left -= session.unsentBytes;
      session.reject('overloaded', CLOSE.overloaded);
    }
  }

  closeAll(close: CloseCode): void {
    for (const session of this.#all) session.close(close);
  }
}
