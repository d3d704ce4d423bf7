// An old backup comes back under a running gateway, in each way that people restore one. Every
// client ends at the table, no client keeps a row that is gone, and later changes are pushed and
// not only found.

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import t, { type Test } from 'tap';
import { installedBinDirs, startServer, type TestDatabase } from '../helpers/database.js';
import { startGateway } from '../helpers/gateway.js';
import { scratchFolder } from '../helpers/scratch-folder.js';
import { until } from '../helpers/until.js';
import { watch } from './checker.js';
import { createReadLog } from './read-log.js';
import { HOSTNAMES, Writers } from './writers.js';

const execute = promisify(execFile);

const tools = installedBinDirs().find(({ binDir }) => existsSync(join(binDir, 'pg_restore')));
const skip = tools === undefined && 'there is no pg_dump, psql and pg_restore';

/** With the superuser's rights, as `--disable-triggers` needs. */
const connection = ({ adminConfig: { host, port, user, database } }: TestDatabase): string[] => [
  ...['-h', String(host), '-p', String(port)],
  ...['-U', String(user), '-d', String(database)],
];

type Run = (program: string, ...args: string[]) => Promise<unknown>;

interface Way {
  /** Options of pg_dump. */
  readonly dump: readonly string[];
  readonly restore: (file: string, run: Run, database: TestDatabase) => Promise<unknown>;
}

const PLAIN = ['--format=plain'];
const CUSTOM = ['--format=custom'];
const TABLE = ['--data-only', '--table=vms', '--table=vms_version_seq'];
const TRIGGERS = ['stamp', 'update', 'delete', 'truncate', 'audit', 'audit_truncate'];

const WAYS: Readonly<Record<string, Way>> = {
  'psql < dump, after the schema was dropped': {
    dump: PLAIN,
    restore: async (file, run, database) => {
      await database.query('DROP SCHEMA public CASCADE; CREATE SCHEMA public');
      await run('psql', '-q', '-X', '-f', file);
    },
  },
  'psql < dump, after the database was dropped by force': {
    dump: PLAIN,
    restore: async (file, run, { adminConfig, config }) => {
      const superuser = new pg.Client({ ...adminConfig, database: 'postgres' });
      await superuser.connect();
      await superuser.query(`DROP DATABASE ${config.database} WITH (FORCE)`);
      await superuser.query(`CREATE DATABASE ${config.database} OWNER ${config.user}`);
      await superuser.end();
      await run('psql', '-q', '-X', '-f', file);
    },
  },
  'psql < dump --clean': {
    dump: [...PLAIN, '--clean', '--if-exists'],
    restore: (file, run) => run('psql', '-q', '-X', '-v', 'ON_ERROR_STOP=1', '-f', file),
  },
  'pg_restore --clean': {
    dump: CUSTOM,
    restore: (file, run) => run('pg_restore', '--clean', '--if-exists', '--exit-on-error', file),
  },
  'pg_restore --clean, in one transaction': {
    dump: CUSTOM,
    restore: (file, run) =>
      untilNoDeadlock(() => run('pg_restore', '--clean', '--single-transaction', file)),
  },
  'psql < dump --data-only, into an empty table': {
    dump: [...PLAIN, ...TABLE],
    restore: async (file, run, database) => {
      await database.query('TRUNCATE vms');
      await run('psql', '-q', '-X', '-v', 'ON_ERROR_STOP=1', '-f', file);
    },
  },
  'pg_restore --data-only --disable-triggers': {
    dump: [...CUSTOM, ...TABLE],
    restore: async (file, run, database) => {
      await database.query('TRUNCATE vms');
      await run('pg_restore', '--data-only', '--disable-triggers', '--exit-on-error', file);
      // The triggers that it enables again are no longer ALWAYS, and the gateway reports that until
      // they are mended.
      const mend = TRIGGERS.map(
        (name) => `ALTER TABLE vms ENABLE ALWAYS TRIGGER vm_${name}_trigger`,
      );
      await database.query(mend.join(';'));
    },
  },
};

t.test('restores', { skip }, async (t) => {
  const { binDir } = tools ?? { binDir: '' };
  const server = await startServer(t, { binDir });
  const folder = await scratchFolder();
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  for (const [name, { dump, restore }] of Object.entries(WAYS)) {
    await t.test(name, async (t) => {
      const database = await server.createDatabase();
      const file = join(folder, String(database.config.database));
      const run: Run = (program, ...args) =>
        execute(join(binDir, program), [...connection(database), ...args]);
      await showRestore(t, database, {
        backUp: () => run('pg_dump', ...dump, '-f', file),
        restore: () => restore(file, run, database),
      });
    });
  }
});

/**
 * A restore that locks one table after the other can meet a reader of two. The server then ends one
 * of them, maybe the restore, which has changed nothing and is run again.
 */
async function untilNoDeadlock(restore: () => Promise<unknown>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await restore();
      return;
    } catch (error) {
      if (attempt === 5 || !String(error).includes('deadlock detected')) throw error;
    }
  }
}

async function showRestore(
  t: Test,
  database: TestDatabase,
  { backUp, restore }: Readonly<Record<'backUp' | 'restore', () => Promise<unknown>>>,
): Promise<void> {
  const { log, take } = createReadLog();
  const gateway = await startGateway(t, database, { log });
  const checker = await watch(t, gateway, HOSTNAMES);
  const writers = new Writers(t, () => database.config);
  await writers.write(200);
  await database.query(`INSERT INTO vms (hostname, status) VALUES ('old', 'in-use')`);
  const versions = await readVersions(database);
  await backUp();
  await writers.write(200);
  await database.query(`DELETE FROM vms WHERE hostname = 'old'`);
  await database.query(`INSERT INTO vms (hostname, status) VALUES ('young', 'in-use')`);
  await checker.settled(database);
  await checker.remember(database);

  await restore();
  await checker.settled(database);
  const hostnames = [...(await readVersions(database)).keys()];
  t.same(hostnames, [...versions.keys()], 'what the backup had is there, and nothing else');
  checker.forgive();

  await gateway.ready();
  await untilPushed(take, writers, () => checker.settled(database));
  t.same(await checker.violations(database), []);
  t.equal(checker.sockets, HOSTNAMES.length + 2, 'nobody lost a socket');
}

/**
 * Changes come by news alone. A check that looks between a commit and its news reads the table too,
 * and that harms nothing: so it is tried again, until no check has helped.
 */
async function untilPushed(
  take: () => unknown[],
  writers: Writers,
  settled: () => Promise<unknown>,
): Promise<void> {
  await until('what changes is pushed', async () => {
    take();
    await writers.write(200);
    await settled();
    return take().length === 0;
  });
}

async function readVersions(database: TestDatabase): Promise<Map<string, string>> {
  const rows = await database.query<{ hostname: string; version: string }>(
    'SELECT hostname, version FROM vms ORDER BY hostname',
  );
  return new Map(rows.map(({ hostname, version }) => [hostname, version]));
}

t.test('sequences set back, and the same names again', async (t) => {
  const database = await (await startServer(t)).createDatabase();
  const { log, take } = createReadLog();
  const gateway = await startGateway(t, database, { log });
  const checker = await watch(t, gateway, HOSTNAMES);
  const writers = new Writers(t, () => database.config);
  await writers.write(200);
  await checker.settled(database);
  for (const back of [
    `SELECT setval('vms_version_seq', 1)`,
    `TRUNCATE vms RESTART IDENTITY`,
    `BEGIN; DELETE FROM vms; SELECT setval('vms_version_seq', 1); COMMIT`,
  ]) {
    await database.query(back);
    await untilPushed(take, writers, () => checker.settled(database));
  }
  checker.forgive();
  t.same(await checker.violations(database), []);
});
