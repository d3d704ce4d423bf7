// A failed migration leaves no change, and says where it failed and what to do.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import t from 'tap';
import { migrate, SchemaError } from '../../../src/postgres/migrations/migrate.js';
import { startServer } from '../../helpers/database.js';
import { setUp } from './setup.js';

const server = await startServer(t);

/** Every failing migration creates this table first. */
const THREE = 'CREATE TABLE public.three ();';

const FAILURES: [name: string, sql: string, code: string, message: RegExp][] = [
  [
    'of the first line',
    `${THREE} SELECT x`,
    '42703',
    /schema\/000003_x\.sql:1:38: column "x" .*42703/,
  ],
  ['of a later line', `${THREE}\nSELECT 1;\n  SELECT x;`, '42703', /000003_x\.sql:3:10: /],
  ['behind letters of four bytes', `${THREE}\nSELECT '😀é', x`, '42703', /000003_x\.sql:2:14: /],
  ['of syntax', `${THREE}\n\nSELEC 1`, '42601', /000003_x\.sql:3:1: syntax error/],
  [
    'without a place',
    `${THREE} SELECT 1 / (n - 1) FROM public.one`,
    '22012',
    /000003_x\.sql: division/,
  ],
  [
    'of a block',
    `${THREE} DO $$ BEGIN RAISE 'no' USING HINT = 'try this', DETAIL = 'so'; END $$`,
    'P0001',
    /000003_x\.sql: no .*so; try this; PL\/pgSQL function inline_code_block line 1/,
  ],
];

for (const [name, sql, code, message] of FAILURES) {
  t.test(`a failure ${name}`, async (t) => {
    const { folder, apply, query, tables } = await setUp(t, server);
    const file = join(folder, '000003_x.sql');
    await writeFile(file, sql);
    await t.rejects(apply(), { code: 'schema_failed', message, cause: { code } });
    t.same(await tables(), ['lablink_migrations', 'one'], 'those before it stay, it does not');
    t.same(await query('SELECT max(number) FROM lablink_migrations'), [{ max: 2 }]);
    await writeFile(file, THREE);
    t.same((await apply()).applied, ['000003_x'], 'and it can be tried again');
  });
}

t.test('the error does not quote a row that violates a constraint', async (t) => {
  const { folder, apply } = await setUp(t, server);
  for (const rule of ['NOT NULL', 'CHECK (n IS NOT NULL)']) {
    await writeFile(
      join(folder, '000003_x.sql'),
      `CREATE TABLE public.strict (secret text, n int ${rule});
       INSERT INTO public.strict VALUES ('planted', NULL)`,
    );
    const error: unknown = await apply().catch((error: unknown) => error);
    t.ok(error instanceof SchemaError);
    t.match(error, { message: /000003_x\.sql: .*(not-null|check) constraint/ });
    t.notMatch(error, { message: /planted/ });
  }
});

t.test('a lost server is not an error of the schema', async (t) => {
  const { folder, apply, tables } = await setUp(t, server);
  await writeFile(
    join(folder, '000003_x.sql'),
    `${THREE} SELECT pg_terminate_backend(pg_backend_pid())`,
  );
  const error: unknown = await apply().catch((error: unknown) => error);
  t.match(error, { code: '57P01' });
  t.notOk(error instanceof SchemaError);
  t.same(await tables(), ['lablink_migrations', 'one']);
});

t.test('a server that is down, or rejects the connection', async (t) => {
  const { config } = await setUp(t, server);
  for (const [connection, code] of [
    [{ ...config, host: '/no-such-folder' }, 'ENOENT'],
    [{ ...config, host: '127.0.0.1', port: 1 }, 'ECONNREFUSED'],
    [{ ...config, database: 'missing' }, '3D000'],
  ] as const) {
    const error: unknown = await migrate(connection, { mode: 'apply' }).catch((e: unknown) => e);
    t.match(error, { code });
    t.notOk(error instanceof SchemaError);
  }
});

t.test('a role without the rights is refused with advice', async (t) => {
  const { apply, config, adminConfig, query, folder } = await setUp(t, server);
  const admin = new pg.Client(adminConfig);
  await admin.connect();
  await admin.query('CREATE ROLE guest LOGIN');
  await admin.query(`GRANT CONNECT ON DATABASE ${config.database} TO guest`);
  await admin.query('REVOKE CREATE ON SCHEMA public FROM PUBLIC');
  t.teardown(() => admin.end());
  const asGuest = (mode: 'apply' | 'check') =>
    migrate({ ...adminConfig, options: '-c role=guest' }, { mode, folder });
  const withoutRights = { code: 'schema_rights', message: /permission denied.*db migrate.*role/ };
  await t.rejects(asGuest('apply'), withoutRights, 'it may create nothing');
  await apply();
  await t.rejects(asGuest('check'), withoutRights, 'it may not even read the record');
  await query('GRANT SELECT ON lablink_migrations TO guest');
  t.same(await asGuest('check'), { number: 2, applied: [] });
  t.same(await asGuest('apply'), { number: 2, applied: [] }, 'there is nothing to apply');
});

t.test('settings of the role and the connection do not reach a migration', async (t) => {
  const { config, query, folder } = await setUp(t, server);
  await writeFile(
    join(folder, '000003_x.sql'),
    `CREATE TABLE public.settings AS
     SELECT current_setting('search_path') AS path, current_setting('TimeZone') AS zone
     FROM pg_sleep(1.2)`,
  );
  const odd = {
    options: '-c search_path=pg_temp -c TimeZone=Asia/Tokyo -c statement_timeout=1000',
    statement_timeout: 1000,
    query_timeout: 1000,
  };
  await migrate({ ...config, ...odd }, { mode: 'apply', folder });
  t.same(await query('SELECT * FROM settings'), [{ path: 'pg_catalog', zone: 'UTC' }]);
});
