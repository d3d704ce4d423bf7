// Counts notifications that the table contradicts, and logs them at most once a minute: a role that
// may connect can send as many as it likes.

import type { Logger } from 'pino';

const LOG_GAP_MS = 60_000;

export class Contradictions {
  #unlogged = 0;
  #loggedMs: number | undefined;

  /** @param clock a clock that never jumps, in ms. */
  constructor(
    private readonly log: Pick<Logger, 'warn'>,
    private readonly clock: () => number = () => performance.now(),
  ) {}

  /** A notification had a version for this hostname that the table does not have. */
  record(hostname: string): void {
    this.#unlogged++;
    const nowMs = this.clock();
    if (this.#loggedMs !== undefined && nowMs - this.#loggedMs < LOG_GAP_MS) return;
    this.log.warn({ hostname, notifications: this.#unlogged }, CONTRADICTED);
    this.#unlogged = 0;
    this.#loggedMs = nowMs;
  }
}

const CONTRADICTED =
  'the table contradicts notifications: a role that may connect to the database sends forged ones ' +
  '(REVOKE CONNECT ON DATABASE … FROM PUBLIC), or the database went back to an older state';
