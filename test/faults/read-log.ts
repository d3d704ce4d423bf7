// Why a gateway read the table, from its log: what came by news alone was pushed, and left no other reason behind.

import { Writable } from 'node:stream';
import { pino, type Logger } from 'pino';
import type { ResyncReason } from '../../src/gateway/feed/resync.js';

export interface ReadLog {
  readonly log: Logger;
  /** The reasons since the last call. `doubtful` is news that was looked up at once, and none of them. */
  readonly take: () => ResyncReason[];
}

export function createReadLog(): ReadLog {
  let reasons: ResyncReason[] = [];
  const lines = new Writable({
    write: (line: Buffer, _encoding, done) => {
      const { reason } = JSON.parse(line.toString()) as { reason?: ResyncReason };
      if (reason !== undefined && reason !== 'doubtful') reasons.push(reason);
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
