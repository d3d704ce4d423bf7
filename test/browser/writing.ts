// Writes many rows, and changes them at a steady rate.

import { setTimeout as sleep } from 'node:timers/promises';
import type { TestDatabase } from '../helpers/database.js';

/** The time between two statements, in ms. */
const TICK_MS = 20;

export async function fillRows(database: TestDatabase, count: number): Promise<void> {
  await database.query(
    `INSERT INTO vms (hostname, status)
     SELECT 'vm-' || n, 'available' FROM generate_series(1, $1::int) n`,
    [count],
  );
}

const CHANGE = `
  UPDATE vms SET status = CASE status WHEN 'in-use' THEN 'available' ELSE 'in-use' END,
    email = CASE status WHEN 'in-use' THEN NULL ELSE md5(random()::text) || '@example.com' END`;

/** Changes every row. */
export async function changeAll(database: TestDatabase): Promise<void> {
  await database.query(CHANGE);
}

/**
 * Changes random rows at a rate.
 * @returns how many were changed.
 */
export async function changeRows(
  database: TestDatabase,
  count: number,
  perSecond: number,
  forMs: number,
): Promise<number> {
  const startMs = performance.now();
  let changed = 0;
  for (;;) {
    const elapsedMs = performance.now() - startMs;
    if (elapsedMs >= forMs) return changed;
    const due = Math.floor((elapsedMs * perSecond) / 1_000) - changed;
    const hostnames = Array.from(
      { length: due },
      () => `vm-${1 + Math.floor(Math.random() * count)}`,
    );
    await database.query(`${CHANGE} WHERE hostname = ANY ($1::text[])`, [hostnames]);
    changed += due;
    await sleep(TICK_MS);
  }
}
