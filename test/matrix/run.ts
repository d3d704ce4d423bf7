// Runs worlds of the matrix on one server, one after the other: a role's settings are the server's.

import { rm } from 'node:fs/promises';
import pg from 'pg';
import type { Teardown, TestDatabase, TestServer } from '../helpers/database.js';
import { scratchFolder } from '../helpers/scratch-folder.js';
import {
  backUpAndRestore,
  change,
  consult,
  remove,
  startCell,
  untilReady,
  WORKS,
  type Cell,
  type Outcome,
} from './steps.js';
import type { World } from './worlds.js';

export const STEPS = [
  'start',
  'change',
  'delete',
  'restart',
  'doctor',
  'backup --verify',
  'restore',
  'mended',
] as const;
export type Row = Readonly<Record<(typeof STEPS)[number], Outcome>>;

const ROWS = `INSERT INTO public.vms (hostname, status, email) VALUES ('vm-1', 'available', NULL),
  ('vm-2', 'available', NULL), ('vm-3', 'in-use', 'bob@x.y'), ('vm-4', 'available', NULL)`;

/** Runs one world in a database of its own. */
export async function runWorld(
  { createDatabase }: Pick<TestServer, 'createDatabase'>,
  { spoil, mend }: World,
  hasTools: boolean,
): Promise<Row> {
  const stops: (() => unknown)[] = [];
  const t: Teardown = { teardown: (stop) => stops.push(stop) };
  const folder = await scratchFolder();
  const database = await createDatabase();
  const cell: Cell = { database, folder, hasTools };
  await database.query(ROWS);
  try {
    await runAsSuperuser(database, spoil);
    const first = await runGateway(t, cell, async (gateway) => [
      await change(gateway),
      await remove(gateway),
    ]);
    const again = await runGateway(t, cell, async () => []);
    const doctor = await consult(cell);
    const [backup, restored] = await backUpAndRestore(cell);
    await runAsSuperuser(database, mend);
    const mended = await runGateway(t, cell, async (gateway) => [
      await change(gateway, 'late@x.y'),
      await remove(gateway, 'vm-4'),
    ]);
    return {
      start: first[0],
      change: first[1] ?? 'the gateway did not start',
      delete: first[2] ?? 'the gateway did not start',
      restart: again[0],
      doctor,
      'backup --verify': backup,
      restore: restored,
      mended: mended.find((outcome) => outcome !== WORKS) ?? WORKS,
    };
  } finally {
    for (const stop of stops.reverse()) await stop();
    await rm(folder, { recursive: true, force: true });
  }
}

/** The outcome of the start, and those of `work`, which runs even if the gateway is not ready. */
async function runGateway(
  t: Teardown,
  cell: Cell,
  work: (gateway: Exclude<Awaited<ReturnType<typeof startCell>>, string>) => Promise<Outcome[]>,
): Promise<[Outcome, ...Outcome[]]> {
  const gateway = await startCell(t, cell);
  if (typeof gateway === 'string') return [gateway];
  try {
    return [await untilReady(gateway), ...(await work(gateway))];
  } finally {
    await gateway.app.close();
  }
}

/** What is set for the database does not hold for its superuser here. */
const UNSPOILT = [
  'default_transaction_read_only=off',
  'default_transaction_isolation=read\\ committed',
  'default_tablespace=',
  'statement_timeout=0',
  'lock_timeout=0',
  'idle_session_timeout=0',
]
  .map((setting) => `-c ${setting}`)
  .join(' ');

async function runAsSuperuser({ adminConfig }: TestDatabase, sql: string): Promise<void> {
  const client = new pg.Client({ ...adminConfig, options: UNSPOILT });
  await client.connect();
  try {
    await client.query(sql.replaceAll(':db', String(adminConfig.database)));
  } finally {
    await client.end();
  }
}
