// Why a gateway read the table, from its log: what came by news alone was pushed, and left no other
// reason behind.

import { Writable } from 'node:stream';
import { pino, type Logger } from 'pino';
import type { ResyncReason } from '../../src/gateway/feed/resync.js';

export interface ReadLog {
  readonly log: Logger;
  /**
   * The reasons since the last call. A read of stale rows is not one of them: it follows a
   * notification at once.
   */
  readonly take: () => ResyncReason[];
}

export function createReadLog(): ReadLog {
  let reasons: ResyncReason[] = [];
  const lines = new Writable({
    write: (line: Buffer, _encoding, done) => {
      const { reason } = JSON.parse(line.toString()) as { reason?: ResyncReason };
      if (reason !== undefined && reason !== 'stale') reasons.push(reason);
      done();
    },
  });
  return {
    log: pino({ level: 'debug' }, lines),
    take: () => {
      const taken = reasons;
      reasons = [];
      return taken;
    },
  };
}
