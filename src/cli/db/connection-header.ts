// The header of commands that look at a database: which one it is, and how fast it answers. It goes
// to stderr, apart from the output for programs.

import type pg from 'pg';
import { printInfo } from '../print.js';
import { formatAddress } from '../wait-for-database.js';

export interface ConnectionHeader {
  /** Prints the header: call it once the database has answered. */
  readonly connected: () => void;
}

/** Starts the clock of the header, before anything connects. */
export function startMeasuring(connection: pg.ClientConfig): ConnectionHeader {
  const beganMs = performance.now();
  return {
    connected: () => {
      const ms = Math.round(performance.now() - beganMs);
      printInfo(`${formatAddress(connection)}, connected in ${ms} ms`);
    },
  };
}
