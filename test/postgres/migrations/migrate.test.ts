// The migration runner applies each migration once, in order, and refuses unusable schemas.

import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { migrate, readSchemaStatus } from '../../../src/postgres/migrations/migrate.js';
import { startServer } from '../../helpers/database.js';
import { FILES, FIRST, SECOND, setUp } from './setup.js';

const server = await startServer(t);
const THIRD = 'CREATE TABLE public.three ();\n';

t.test('pending migrations are applied once, in order', async (t) => {
  const { folder, apply, query, tables } = await setUp(t, server);
  t.same(await apply(), { number: 2, applied: ['000001_first', '000002_second'] });
  t.same(await apply(), { number: 2, applied: [] });
  await writeFile(join(folder, '000003_third.sql'), THIRD);
  t.same(await apply(), { number: 3, applied: ['000003_third'] });
  t.same(await tables(), ['lablink_migrations', 'one', 'three']);
  t.same(await query('SELECT * FROM one'), [{ n: 1, m: null }]);
});

t.test('the shipped migrations are found by default', async (t) => {
  const { config } = await server.createDatabase({ migrate: false });
  const folder = new URL('../../../schema/', import.meta.url);
  const files = (await readdir(folder)).filter((name) => /^\d{6}_\w+\.sql$/.test(name)).sort();
  const { applied, number } = await migrate(config, { mode: 'apply' });
  t.same(
    applied.map((name) => `${name}.sql`),
    files,
  );
  t.equal(number, files.length);
  for (const name of files) {
    const text = await readFile(new URL(name, folder), 'utf8');
    t.notMatch(text, /^\s*(BEGIN|COMMIT|ROLLBACK|START TRANSACTION)\s*;/im, `${name} is one piece`);
  }
});

t.test('any number of gateways can start at once', async (t) => {
  const { apply, query } = await setUp(t, server);
  const reports = await Promise.all(Array.from({ length: 8 }, () => apply()));
  t.same(reports.flatMap(({ applied }) => applied).sort(), ['000001_first', '000002_second']);
  t.ok(reports.every(({ number }) => number === 2));
  t.same(await query('SELECT n FROM one'), [{ n: 1 }]);
});

t.test('mode check refuses an older database, and changes nothing', async (t) => {
  const { folder, apply, tables } = await setUp(t, server);
  const older = (message: RegExp) => ({ name: 'SchemaError', code: 'schema_older', message });
  await t.rejects(
    apply({ mode: 'check' }),
    older(/lacks 000001_first, 000002_second; run "lablink-gateway db migrate"/),
  );
  t.same(await tables(), []);
  await apply();
  t.same(await apply({ mode: 'check' }), { number: 2, applied: [] });
  await writeFile(join(folder, '000003_third.sql'), THIRD);
  await t.rejects(apply({ mode: 'check' }), older(/lacks 000003_third;/));
});

t.test('a database newer than the program is refused in every mode', async (t) => {
  const { folder, apply } = await setUp(t, server);
  await apply();
  await rm(join(folder, '000002_second.sql'));
  for (const mode of ['apply', 'check'] as const) {
    await t.rejects(apply({ mode }), { code: 'schema_newer', message: /000002_second.*newer/ });
  }
});

t.test('an edited migration is refused; other line endings do not count', async (t) => {
  const { folder, apply, query } = await setUp(t, server);
  await apply();
  const file = join(folder, '000001_first.sql');
  await writeFile(file, FIRST.replaceAll('\n', '\r\n'));
  t.same((await apply()).applied, []);
  await writeFile(file, `${FIRST}-- more\n`);
  for (const mode of ['apply', 'check'] as const) {
    await t.rejects(apply({ mode }), {
      code: 'schema_edited',
      message: /schema\/000001_first\.sql/,
    });
  }
  await writeFile(join(folder, '000003_third.sql'), THIRD);
  await t.rejects(apply(), { code: 'schema_edited' });
  t.same(await query(`SELECT to_regclass('three') AS three`), [{ three: null }]);
});

t.test('a gap is refused', async (t) => {
  const gap = (message: RegExp) => ({ code: 'schema_gap', message });
  for (const [name, files, message] of [
    [
      'a number is missing',
      { '000001_a.sql': '', '000003_c.sql': '' },
      /000003_c.*000002 is missing/,
    ],
    ['a number is there twice', { '000001_a.sql': '', '000001_b.sql': '' }, /000001_b.*000002/],
    ['it begins late', { '000002_b.sql': '' }, /000002_b.*000001 is missing/],
    ['a name is wrong', { '000001_a.sql': '', '00002_b.sql': '' }, /00002_b/],
    ['a name has a capital', { '000001_A.sql': '' }, /000001_A/],
    ['there are none', { 'README.md': '' }, /000001 is missing/],
  ] as [string, Record<string, string>, RegExp][]) {
    await t.test(name, async (t) => {
      const { apply, tables } = await setUp(t, server, files);
      await t.rejects(apply(), gap(message));
      t.same(await tables(), []);
    });
  }
  await t.test('other files are ignored', async (t) => {
    const { apply } = await setUp(t, server, { ...FILES, 'snapshot.sql': 'x', '1.md': 'x' });
    t.equal((await apply()).number, 2);
  });
  await t.test('a gap in the record is refused', async (t) => {
    const { apply, query } = await setUp(t, server);
    await apply();
    await query('DELETE FROM lablink_migrations WHERE number = 1');
    await t.rejects(apply(), gap(/000002_second but lacks number 1/));
  });
});

t.test(
  'status tells what is applied, what is not, and what is wrong; it changes nothing',
  async (t) => {
    const { config, folder, apply, tables } = await setUp(t, server);
    const pending = ['000001_first', '000002_second'];
    t.same(await readSchemaStatus(config, folder), { applied: [], pending, problem: undefined });
    t.same(await tables(), []);
    await apply();
    await writeFile(join(folder, '000003_third.sql'), THIRD);
    const status = await readSchemaStatus(config, folder);
    t.same(status.pending, ['000003_third']);
    t.match(status.applied, [
      { number: 1, name: '000001_first', checksum: /^[0-9a-f]{64}$/, appliedAt: Date },
      { number: 2, name: '000002_second' },
    ]);
    await writeFile(join(folder, '000002_second.sql'), `${SECOND};`);
    const wrong = await readSchemaStatus(config, folder);
    t.match(wrong, { pending: [], problem: { code: 'schema_edited' }, applied: { length: 2 } });
  },
);

t.test('the times of the record do not depend on the DateStyle of the database', async (t) => {
  const database = await server.createDatabase();
  const { config } = database;
  await database.query(`ALTER DATABASE ${config.database} SET DateStyle = 'German'`);
  const { applied } = await readSchemaStatus(config);
  t.ok(applied.length > 0);
  for (const { appliedAt } of applied)
    t.ok(Math.abs(Date.now() - appliedAt.getTime()) < 86_400_000);
});
