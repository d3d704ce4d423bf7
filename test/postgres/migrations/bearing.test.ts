// Neighbouring releases on one schema: an older program works with a newer schema that says so, and
// an old server is refused before anything is changed.

import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { readSchemaStatus } from '../../../src/postgres/migrations/migrate.js';
import { rejectOldServer } from '../../../src/postgres/migrations/server-version.js';
import { startServer } from '../../helpers/database.js';
import { setUp } from './setup.js';

const server = await startServer(t);
const THIRD = '000003_third.sql';
const FOURTH = '000004_fourth.sql';
const EXPAND = '-- bears: 000002\nALTER TABLE public.one ADD COLUMN o integer;\n';
const CONTRACT = 'ALTER TABLE public.one DROP COLUMN m;\n';

t.test('a newer schema that only grew bears the program before it', async (t) => {
  const { folder, config, apply } = await setUp(t, server);
  await apply();
  await writeFile(join(folder, THIRD), EXPAND);
  t.same(await apply(), { number: 3, applied: ['000003_third'] });
  await rm(join(folder, THIRD));
  for (const mode of ['apply', 'check'] as const)
    t.same(await apply({ mode }), { number: 2, applied: [] }, mode);
  t.match(await readSchemaStatus(config, folder), { pending: [], problem: undefined });
  await rm(join(folder, '000002_second.sql'));
  await t.rejects(apply(), { code: 'schema_newer' }, 'the program before that one is refused');
});

t.test('what one migration bears holds for all after it that bear as much', async (t) => {
  const { folder, apply } = await setUp(t, server);
  await writeFile(join(folder, THIRD), EXPAND);
  await writeFile(join(folder, FOURTH), '-- bears: 000003\nCREATE TABLE public.two ();\n');
  await apply();
  await rm(join(folder, FOURTH));
  t.same((await apply({ mode: 'check' })).number, 3);
  await rm(join(folder, THIRD));
  await t.rejects(apply({ mode: 'check' }), { code: 'schema_newer' }, 'the fourth needs the third');
});

t.test('a migration that says nothing needs its own program', async (t) => {
  const { folder, apply } = await setUp(t, server);
  await writeFile(join(folder, THIRD), EXPAND);
  await writeFile(join(folder, FOURTH), CONTRACT);
  await apply();
  await rm(join(folder, FOURTH));
  for (const mode of ['apply', 'check'] as const)
    await t.rejects(apply({ mode }), { code: 'schema_newer' });
});

t.test('an edited migration is refused, whatever the schema bears', async (t) => {
  const { folder, apply } = await setUp(t, server);
  await writeFile(join(folder, THIRD), EXPAND);
  await apply();
  await rm(join(folder, THIRD));
  await writeFile(join(folder, '000002_second.sql'), 'SELECT 1;\n');
  await t.rejects(apply(), { code: 'schema_edited' });
});

t.test('PostgreSQL 12 is refused in a sentence', async (t) => {
  t.throws(() => rejectOldServer(120_022), {
    code: 'schema_failed',
    message: /PostgreSQL 12, and the schema needs 13 or later; nothing was changed/,
  });
  for (const version of [130_000, 150_020, 190_001]) rejectOldServer(version);
});
