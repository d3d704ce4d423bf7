// All sessions of this gateway: the sweep over them, the newer agent that replaces an older one, and the end of all.

import { CLOSE, type CloseCode } from '../protocol/close-codes.js';
import type { Session } from './session.js';

export class Sessions {
  readonly #all = new Set<Session>();
  /** An agent runs commands, so a hostname has one; who watches only may be many. */
  readonly #agents = new Map<string, Session>();

  get size(): number {
    return this.#all.size;
  }

  add(session: Session): void {
    this.#all.add(session);
    const { role, sub } = session.identity;
    if (role !== 'agent') return;
    this.#agents.get(sub)?.close(CLOSE.replaced);
    this.#agents.set(sub, session);
  }

  remove(session: Session): void {
    this.#all.delete(session);
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
