// The end of all sessions, spread over time, so that their clients come back elsewhere one after the other instead of
// all at once. Has no timer: whoever drains says what time it is.

import { CLOSE } from '../../protocol/close-codes.js';
import type { Session } from './session.js';
import type { Sessions } from './sessions.js';

/** When a drain does what, in ms from its beginning. */
export interface DrainPlan {
  /** Until then newcomers are let in: whoever balances load needs a moment to see that the gateway is not ready. */
  readonly rejectFromMs: number;
  /** By then every socket has been told to come back elsewhere. */
  readonly closedByMs: number;
}

/** A gateway took 376 µs of CPU for a connect: a thousand a second leave another one room for its own work. */
const MS_PER_SOCKET = 1;
/** What balances load sees within a second that this gateway is not ready; few sockets are not worth the wait. */
const NOTICE_MS_PER_SOCKET = 10;
/** The most of the time that goes to the notice. */
const NOTICE_SHARE = 0.2;

/** As short as the number of sockets allows, and never longer than `limitMs`. */
export function planDrain(sockets: number, limitMs: number): DrainPlan {
  const rejectFromMs = Math.min(sockets * NOTICE_MS_PER_SOCKET, limitMs * NOTICE_SHARE);
  const spreadMs = Math.min(sockets * MS_PER_SOCKET, limitMs - rejectFromMs);
  return { rejectFromMs, closedByMs: rejectFromMs + spreadMs };
}

export class Drain {
  readonly #plan: DrainPlan;
  /** Who was there when newcomers began to be refused. */
  #leaving: readonly Session[] | undefined;
  #told = 0;

  constructor(
    private readonly sessions: Sessions,
    limitMs: number,
    private readonly beginMs: number,
  ) {
    this.#plan = planDrain(sessions.size, limitMs);
  }

  /** Whether newcomers are refused by now. */
  get rejecting(): boolean {
    return this.#leaving !== undefined;
  }

  /** Tells those whose turn it is. @returns whether all have been told. */
  tick(nowMs: number): boolean {
    const { rejectFromMs, closedByMs } = this.#plan;
    const elapsedMs = nowMs - this.beginMs;
    if (elapsedMs < rejectFromMs) return false;
    this.#leaving ??= [...this.sessions];
    const isOver = elapsedMs >= closedByMs;
    const share = isOver ? 1 : (elapsedMs - rejectFromMs) / (closedByMs - rejectFromMs);
    const due = Math.ceil(share * this.#leaving.length);
    for (const session of this.#leaving.slice(this.#told, due)) session.close(CLOSE.restart);
    this.#told = due;
    // An upgrade that was under way when the refusals began is in no list.
    if (isOver) this.sessions.closeAll(CLOSE.restart);
    return isOver;
  }
}
