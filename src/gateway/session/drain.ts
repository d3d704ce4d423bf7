// Closes all sessions, spread over time, so that their clients reconnect elsewhere one after the
// other and not all at once. Has no timer: the caller passes the time.

import { CLOSE } from '../../protocol/close-codes.js';
import type { Session } from './session.js';
import type { Sessions } from './sessions.js';

/** The steps of a drain, in ms from its beginning. */
export interface DrainPlan {
  /**
   * New clients are accepted until then: a load balancer needs a moment to notice that the gateway
   * is not ready.
   */
  readonly rejectFromMs: number;
  /** Every socket has received its close frame by then. */
  readonly closedByMs: number;
}

/**
 * The time per socket over which the closes are spread. A connect costs a gateway 376 µs of CPU, so
 * 1,000 a second leave the gateway that accepts them enough CPU for its own work.
 */
const MS_PER_SOCKET = 1;
/**
 * The time per socket before new clients are rejected, up to the second or so that a load balancer
 * needs to notice. A gateway with few sockets does not wait that long.
 */
const NOTICE_MS_PER_SOCKET = 10;
/** The largest share of the whole time that goes to this notice. */
const NOTICE_SHARE = 0.2;

/** Plans a drain that is as short as the number of sockets allows, and at most `limitMs` long. */
export function planDrain(sockets: number, limitMs: number): DrainPlan {
  const rejectFromMs = Math.min(sockets * NOTICE_MS_PER_SOCKET, limitMs * NOTICE_SHARE);
  const spreadMs = Math.min(sockets * MS_PER_SOCKET, limitMs - rejectFromMs);
  return { rejectFromMs, closedByMs: rejectFromMs + spreadMs };
}

export class Drain {
  readonly #plan: DrainPlan;
  /** The sessions that existed when rejecting began; undefined before. */
  #leaving: readonly Session[] | undefined;
  #closedCount = 0;

  /**
   * @param limitMs the most time that the drain may take.
   * @param beginMs the current time, by the same clock as `tick`.
   */
  constructor(
    private readonly sessions: Sessions,
    limitMs: number,
    private readonly beginMs: number,
  ) {
    this.#plan = planDrain(sessions.size, limitMs);
  }

  /** Whether new clients must be rejected by now. */
  get rejecting(): boolean {
    return this.#leaving !== undefined;
  }

  /**
   * Closes the sessions that are due at `nowMs`. Called every few ms.
   * @returns whether all sessions have been closed.
   */
  tick(nowMs: number): boolean {
    const { rejectFromMs, closedByMs } = this.#plan;
    const elapsedMs = nowMs - this.beginMs;
    if (elapsedMs < rejectFromMs) return false;
    this.#leaving ??= [...this.sessions];
    const isOver = elapsedMs >= closedByMs;
    const share = isOver ? 1 : (elapsedMs - rejectFromMs) / (closedByMs - rejectFromMs);
    const due = Math.ceil(share * this.#leaving.length);
    for (const session of this.#leaving.slice(this.#closedCount, due)) session.close(CLOSE.restart);
    this.#closedCount = due;
    // Upgrades that were under way when rejecting began are not in `#leaving`.
    if (isOver) this.sessions.closeAll(CLOSE.restart);
    return isOver;
  }
}
