// A gap of a server's making: its LISTEN session is ended, and no session can be opened, until it
// may come back.

import { setTimeout as sleep } from 'node:timers/promises';
import { nowUs } from '../../src/loadtest/clock.js';
import type { Bench } from './servers.js';

const POLL_MS = 2;
const DEADLINE_MS = 20_000;
const LISTENING = `
  SELECT pid FROM pg_stat_activity
  WHERE datname = $1 AND application_name LIKE '% listen' AND query LIKE 'LISTEN%'`;

/** Runs `act` while no gateway listens; returns when a gateway listens again. */
export async function duringGap(bench: Bench, act: () => Promise<unknown>): Promise<number> {
  const { superuser, database } = bench;
  const { database: name = '' } = database;
  await superuser.query(`ALTER DATABASE ${name} ALLOW_CONNECTIONS false`);
  try {
    await superuser.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = $1 AND application_name LIKE '% listen'`,
      [name],
    );
    await act();
  } finally {
    await superuser.query(`ALTER DATABASE ${name} ALLOW_CONNECTIONS true`);
  }
  const untilUs = nowUs() + DEADLINE_MS * 1e3;
  while ((await superuser.query(LISTENING, [name])).rowCount === 0) {
    if (nowUs() > untilUs) throw new Error('no gateway listened again');
    await sleep(POLL_MS);
  }
  return nowUs();
}
