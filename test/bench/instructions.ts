// What a single assignment costs a server's CPU, in instructions, and which part costs how much: a
// count does not depend on what else runs on the machine. A backend in single-user mode runs under
// valgrind, with one part of the schema taken out at a time. `npm run bench:instructions`.

import { spawn } from 'node:child_process';
import { chown, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import pg from 'pg';
import { listServerAccounts } from '../../src/postgres/embedded/account.js';
import { SUPERUSER } from '../../src/postgres/embedded/database.js';
import { startEmbedded, type EmbeddedConnection } from '../../src/postgres/embedded/server.js';
import { migrate } from '../../src/postgres/migrations/migrate.js';
import { createGuideDatabase } from '../schema/guide.js';

/** The counts of a long and a short run are subtracted: what starts a backend is in both. */
const LONG = 140;
const SHORT = 40;

/** Each a database: `change` is applied to the product's schema, or there is only the guide's. */
const VARIANTS: readonly { name: string; title: string; change?: string }[] = [
  { name: 'guide', title: "the guide's table and trigger" },
  { name: 'product', title: 'the product', change: '' },
  {
    name: 'untriggered',
    title: 'without its triggers',
    change: `ALTER TABLE vms DISABLE TRIGGER vm_update_set_trigger; ALTER TABLE vms DISABLE TRIGGER vm_stamp_trigger`,
  },
  {
    name: 'unsent',
    title: 'without `send_vm_changes()`',
    change: 'ALTER TABLE vms DISABLE TRIGGER vm_update_set_trigger',
  },
  {
    name: 'undigested',
    title: 'with random assignment ids',
    change: `CREATE OR REPLACE FUNCTION make_vm_assignment_id(
        hostname text, email text, crd_command text, version bigint) RETURNS uuid
      LANGUAGE plpgsql AS 'BEGIN RETURN pg_catalog.gen_random_uuid(); END'`,
  },
  {
    name: 'unindexed',
    title: 'without its indexes',
    change: `DROP INDEX idx_vms_status_updated_at, idx_vms_assignment_id, idx_vm_events_old_hostname,
      idx_vm_events_old_email, idx_vm_events_new_email, idx_vm_events_hostname,
      idx_vm_deliveries_hostname, idx_vm_deliveries_made_at`,
  },
];

const folder = await mkdtemp(join(tmpdir(), 'lablink-bench-'));
try {
  const backend = await prepare();
  const counts = new Map<string, number>();
  for (const { name } of VARIANTS) {
    await backend(name, SHORT);
    const difference = (await backend(name, LONG)) - (await backend(name, SHORT));
    counts.set(name, difference / (LONG - SHORT));
  }
  console.log(report(counts));
} finally {
  await rm(folder, { recursive: true, force: true });
}

/** Makes the databases; returns what counts the instructions of a backend's whole life. */
async function prepare(): Promise<(name: string, assignments: number) => Promise<number>> {
  const settings = { fsync: 'off', autovacuum: 'off' };
  const server = await startEmbedded({ dataDir: folder, settings });
  let program: string;
  try {
    for (const { name, change } of VARIANTS) await makeDatabase(server.connection, name, change);
    program = await findProgram(server.connection);
  } finally {
    await server.stop();
  }
  const cluster = join(folder, 'postgres');
  const [account] = await listServerAccounts(cluster);
  // The cluster's owner reaches it through the folder.
  if (account !== undefined) await chown(folder, account.uid, account.gid);
  return async (name, assignments) => {
    const log = join(cluster, 'valgrind.log');
    const valgrind = ['--tool=cachegrind', '--cache-sim=no', '--cachegrind-out-file=/dev/null'];
    const options = ['--single', '-D', cluster, '-c', 'fsync=off', '-c', 'autovacuum=off', name];
    const child = spawn('valgrind', [...valgrind, `--log-file=${log}`, program, ...options], {
      ...(account && { uid: account.uid, gid: account.gid }),
      cwd: cluster,
      stdio: ['pipe', 'ignore', 'pipe'],
    });
    const exited = new Promise<void>((resolve, reject) => {
      child.once('error', reject).once('exit', () => resolve());
    });
    child.stdin.end(statements(assignments));
    const [errors] = await Promise.all([text(child.stderr), exited]);
    const count = /I +refs: +([\d,]+)/.exec(await readFile(log, 'utf8'))?.[1];
    if (count === undefined || /ERROR|WARNING/.test(errors)) throw new Error(errors);
    return Number(count.replaceAll(',', ''));
  };
}

async function makeDatabase(
  connection: EmbeddedConnection,
  name: string,
  change: string | undefined,
): Promise<void> {
  const admin = new pg.Client({ ...connection, user: SUPERUSER, database: 'postgres' });
  await admin.connect();
  await admin.query(`CREATE DATABASE ${name} OWNER ${connection.user}`);
  await admin.end();
  const client = new pg.Client({ ...connection, database: name });
  await client.connect();
  try {
    await createGuideDatabase({
      query: async (sql) => (await client.query(sql)).rows as never[],
      value: () => Promise.resolve(null),
    });
    if (change !== undefined) {
      await migrate({ ...connection, database: name }, { mode: 'apply' });
      await client.query(change);
    }
    await client.query(
      `INSERT INTO vms (hostname, status) SELECT 'vm-' || n, 'available' FROM generate_series(1, 1000) n`,
    );
    await client.query('VACUUM ANALYZE');
  } finally {
    await client.end();
  }
}

async function findProgram(connection: EmbeddedConnection): Promise<string> {
  const client = new pg.Client({ ...connection, user: SUPERUSER });
  await client.connect();
  const { rows } = await client.query<{ setting: string }>(
    `SELECT setting FROM pg_config WHERE name = 'BINDIR'`,
  );
  await client.end();
  return join(rows[0]?.setting ?? '', 'postgres');
}

function statements(assignments: number): string {
  const lines = Array.from(
    { length: assignments },
    (_, i) => `EXECUTE assign('vm-${i + 1}', 'person-${i}', 'start ${i}')`,
  );
  return [
    `PREPARE assign AS UPDATE vms SET status = 'in-use', email = $2::text, crd_command = $3::text WHERE hostname = $1::text`,
    ...lines,
    '',
  ].join('\n');
}

function report(counts: ReadonlyMap<string, number>): string {
  const guide = counts.get('guide') ?? NaN;
  const lines = VARIANTS.map(({ name, title }) => {
    const count = counts.get(name) ?? NaN;
    return `| ${title} | ${Math.round(count / 1e3)} | × ${(count / guide).toFixed(2)} |`;
  });
  return [
    '| an assignment by a single UPDATE | 1,000 instructions | |',
    '| --- | ---: | ---: |',
    ...lines,
  ].join('\n');
}
