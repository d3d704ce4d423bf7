// The schema after `db uninstall` is that of a database that never had ours, with the same rows.

import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { uninstall } from '../../../src/postgres/admin/uninstall.js';
import { withSession } from '../../../src/postgres/admin/session.js';
import { migrate } from '../../../src/postgres/migrations/migrate.js';
import { installedBinDirs, startServer } from '../../helpers/database.js';
import { runDbOn as db } from '../../helpers/db-command.js';
import { temporaryFolder } from '../../helpers/process.js';
import { createGuideDatabase } from '../../schema/guide.js';
import { openSession } from '../../schema/session.js';
import { describeSchema } from '../../schema/snapshot.js';

const tools = installedBinDirs().find(({ binDir }) => existsSync(join(binDir, 'pg_dump')));
const { createDatabase } = await startServer(t, tools && { binDir: tools.binDir });
const ROWS = `SELECT id, hostname, email, status, crd_command, created_at, updated_at FROM vms ORDER BY id`;

async function install(t: Test) {
  const database = await createDatabase({ migrate: false });
  const session = await openSession(t, database.config);
  await createGuideDatabase(session);
  const before = { schema: await describeSchema(session), rows: await session.query(ROWS) };
  await migrate(database.config, { mode: 'apply' });
  const describe = async () => ({
    schema: await describeSchema(session),
    rows: await session.query(ROWS),
  });
  const remove = (dryRun: boolean) =>
    withSession(database.config, 'test', (own) => uninstall(own, dryRun));
  return { database, session, before, describe, remove };
}

t.test('exactly the schema of the guide is left, and its rows', async (t) => {
  const { session, before, describe, remove, database } = await install(t);
  const installed = await describe();
  t.notSame(installed.schema, before.schema);
  const report = await remove(true);
  t.equal(report.vms, before.rows.length);
  t.same(await describe(), installed, 'a dry run changes nothing');
  await remove(false);
  t.same(await describe(), before);
  const others = `SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
    AND relkind IN ('r', 'S', 'v') ORDER BY 1`;
  t.same(
    (await session.query(others)).map(({ relname }) => relname as unknown),
    ['vms', 'vms_id_seq'],
  );
  await session.query('LISTEN vm_updates');
  await session.query(`UPDATE vms SET status = 'failed' WHERE id = 1`);
  await migrate(database.config, { mode: 'apply' });
  t.same((await describe()).schema, installed.schema, 'and it can be installed again');
});

t.test('objects of others, and running gateways, refuse it', async (t) => {
  const { session, describe, remove } = await install(t);
  const installed = await describe();
  await session.query('CREATE VIEW report AS SELECT hostname FROM vm_events');
  await t.rejects(remove(false), { code: 'refused', message: /view report depends on/ });
  await session.query('DROP VIEW report');
  await session.query(
    `INSERT INTO gateways (instance, lease_until) VALUES ('g', now() + interval '1 hour')`,
  );
  await t.rejects(remove(false), { code: 'refused', message: /1 gateways run/ });
  await session.query('DELETE FROM gateways');
  t.same(await describe(), installed);
});

t.test('the command', { skip: tools === undefined && 'there is no pg_dump' }, async (t) => {
  const { database, before, describe } = await install(t);
  const installed = await describe();
  const folder = await temporaryFolder(t);
  const name = String(database.config.database);
  t.match(await db(database, ['uninstall', '--dir', folder]), {
    code: 2,
    stderr: `--confirm ${name}`,
  });
  t.match(await db(database, ['uninstall', '--dir', folder, '--dry-run']), {
    code: 0,
    stdout: /DROP TABLE[^]*Would give back/,
  });
  t.same(await readdir(folder), []);
  t.same(await describe(), installed);
  t.match(await db(database, ['uninstall', '--dir', folder, '--confirm', name]), { code: 0 });
  const [file = ''] = await readdir(folder);
  t.match(await readFile(join(folder, file), 'utf8'), 'CREATE TABLE public.vm_events');
  t.same(await describe(), before);
});
