// All sessions of this gateway: the sweep over them, the newer agent that replaces an older one, and the end of all.

import { CLOSE, type CloseCode } from '../protocol/close-codes.js';
import type { Session } from './session.js';
import type { Stream } from './stream.js';

export class Sessions {
  readonly #all = new Set<Session>();
  /** An agent runs commands, so a hostname has one; who watches only may be many. */
  readonly #agents = new Map<string, Session>();

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
    this.#agents.get(sub)?.close(CLOSE.replaced);
    this.#agents.set(sub, session);
  }

  remove(session: Session): void {
    if (this.#all.delete(session)) this.#conflated[session.stream.kind] += session.stream.conflated;
    const { sub } = session.identity;
    if (this.#agents.get(sub) === session) this.#agents.delete(sub);
  }

  /** See `Session.sweep`. */
  sweep(nowMs: number, epochMs: number): void {
    for (const session of this.#all) session.sweep(nowMs, epochMs);
  }

  closeAll(close: CloseCode): void {
    for (const session of this.#all) session.close(close);
  }
}
