// A backup comes back: the schema works as before, and no command is started again.

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type pg from 'pg';
import { migrate } from '../../src/postgres/migrations/migrate.js';
import { listen } from './listening.js';
import { onEveryServer } from './servers.js';
import { openSession, type Session } from './session.js';
import { describeSchema } from './snapshot.js';
import { writeAll } from './write-all.js';

const run = promisify(execFile);

const connection = ({ host, port, user, database }: pg.ClientConfig): string[] => [
  ...['-h', String(host), '-p', String(port)],
  ...['-U', String(user), '-d', String(database)],
];

const ROWS = `
  INSERT INTO vms (hostname, status, email, crd_command) VALUES
    ('a', 'available', NULL, NULL), ('b', 'in-use', 'x', E'tab\\t, line\\nand \\\\'),
    ('c', 'in-use', NULL, NULL), ('d', 'in-use', 'x', repeat('é', 9000)), ('e', 'rebooting', NULL, NULL);
  UPDATE vms SET status = 'failed' WHERE hostname = 'c'`;

const ALL = 'SELECT json_agg(v ORDER BY id)::text FROM public.vms v';
const WITHOUT_VERSIONS = `SELECT json_agg(to_jsonb(v) - 'version' ORDER BY id)::text FROM public.vms v`;

onEveryServer(async (t, { createDatabase, binDir }) => {
  const [pgDump, psql] = [join(binDir, 'pg_dump'), join(binDir, 'psql')];
  const skip = !(existsSync(pgDump) && existsSync(psql)) && 'this server has no pg_dump and psql';
  const dump = async (config: pg.ClientConfig, ...options: string[]): Promise<string> =>
    (await run(pgDump, [...connection(config), ...options], { maxBuffer: 1e8 })).stdout;
  const restore = async (config: pg.ClientConfig, sql: string): Promise<void> => {
    const restored = run(psql, [...connection(config), '-X', '-q', '-v', 'ON_ERROR_STOP=1']);
    restored.child.stdin?.end(sql);
    await restored;
  };

  t.test('psql < dump into an empty database', { skip }, async (t) => {
    const source = await createDatabase();
    const from = await openSession(t, source.config);
    await from.query(ROWS);
    const target = await createDatabase({ migrate: false });
    await restore(target.config, await dump(source.config));
    const to = await openSession(t, target.config);
    t.equal(await to.value(ALL), await from.value(ALL), 'versions and assignments too');
    t.same(await describeSchema(to), await describeSchema(from));
    t.same((await migrate(target.config, { mode: 'apply' })).applied, []);
    await to.query('DELETE FROM vms');
    await writeAll(t, target, to);
  });

  t.test('psql < dump --data-only into a table with triggers', { skip }, async (t) => {
    const { config } = await createDatabase();
    const session = await openSession(t, config);
    await session.query(ROWS);
    const rows = await session.value(WITHOUT_VERSIONS);
    const text = await dump(config, '--data-only', '--table=vms', '--table=vms_version_seq');
    await session.query('TRUNCATE vms');
    const { take } = await listen(t, config);
    await restore(config, text);
    t.equal(await session.value(WITHOUT_VERSIONS), rows, 'every assignment is the one it was');
    t.equal((await take()).length, 5, 'each row is told');
  });

  t.test('rows of a dump, row by row, with search_path empty and the sequence last', async (t) => {
    const { config } = await createDatabase();
    const session = await openSession(t, config);
    await session.query(ROWS);
    const rows = await session.value(WITHOUT_VERSIONS);
    const statements = await dumpAsInserts(session);
    await session.query('TRUNCATE vms');
    const restoring = await openSession(t, config);
    await restoring.query(`SELECT pg_catalog.set_config('search_path', '', false)`);
    const { take } = await listen(t, config);
    for (const statement of statements) await restoring.query(statement);
    t.equal(await session.value(WITHOUT_VERSIONS), rows);
    t.equal((await take()).length, 5);
    const versions = 'SELECT json_agg(version ORDER BY id)::text FROM vms';
    const before = JSON.parse((await session.value(versions)) ?? '') as number[];
    await session.query(`UPDATE vms SET email = 'y'`);
    const after = JSON.parse((await session.value(versions)) ?? '') as number[];
    t.ok(
      after.every((version, n) => version > (before[n] ?? 0)),
      'where the sequence went back, versions of live rows do not',
    );
  });
});

/** The output of pg_dump --inserts: rows with all their columns, then the sequence as it was. */
async function dumpAsInserts(session: Session): Promise<string[]> {
  const rows = await session.query<{ sql: string }>(`
    SELECT format('INSERT INTO public.vms SELECT * FROM json_populate_record(NULL::public.vms, %L)',
      row_to_json(v)) AS sql FROM vms v ORDER BY id`);
  const last = await session.value('SELECT last_value FROM vms_version_seq');
  return [
    ...rows.map(({ sql }) => sql),
    `SELECT pg_catalog.setval('public.vms_version_seq', ${String(last)}, true)`,
  ];
}
