// The subcommands of `db` that diagnose and maintain a database.

import pg from 'pg';
import t, { type Test } from 'tap';
import { startServer, type TestDatabase } from '../../helpers/database.js';
import { runDbOn as db, type Ended } from '../../helpers/db-command.js';
import { startGateway } from '../../helpers/gateway.js';
import { listening, untilOneListens } from '../../helpers/sessions.js';
import { until } from '../../helpers/until.js';
import { filled, json } from './setup.js';

const { createDatabase } = await startServer(t);

/** Creates a role that may only connect. */
async function stranger(t: Test, database: TestDatabase): Promise<pg.Client> {
  const admin = new pg.Client(database.adminConfig);
  admin.on('error', () => undefined);
  await admin.connect();
  t.teardown(() => admin.end());
  await admin.query(
    `DO $$ BEGIN CREATE ROLE stranger LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$`,
  );
  await admin.query(`GRANT CONNECT ON DATABASE ${database.config.database} TO stranger`);
  return admin;
}

t.test('maintenance', async (t) => {
  const database = await filled(createDatabase);
  for (const [args, statement] of [
    [['vacuum'], 'VACUUM (ANALYZE) public.vms'],
    [['vacuum', '--full'], 'VACUUM (FULL, ANALYZE) public.vms'],
    [['reindex'], 'REINDEX TABLE CONCURRENTLY public.vms'],
  ] as const) {
    t.match(await db(database, [...args, '--dry-run']), { code: 0, stdout: statement });
    t.match(await db(database, args), { code: 0, stdout: statement });
  }
  t.match((await db(database, ['vacuum', '--full'])).stderr, /locks each table/);
  const [vacuumed] = await database.query<{ n: number }>(
    `SELECT vacuum_count::int AS n FROM pg_stat_user_tables WHERE relname = 'vms'`,
  );
  t.ok(vacuumed);
  t.match((await db(database, ['size'])).stdout, /public\.vms +4 +\d+ kB +\d+ kB/);
  t.match(json(await db(database, ['size', '--json'])), {
    bytes: Number,
    tables: [{ bytes: Number }],
  });

  await stranger(t, database);
  for (const args of [
    ['vacuum'],
    ['vacuum', '--full'],
    ['reindex'],
    ['clear'],
    ['vms'],
    ['log-slow'],
  ]) {
    const { code, stderr } = await db(database, args, 'stranger');
    t.match(
      { code, stderr },
      { code: 2, stderr: /permission denied|must be owner|skipping/ },
      args.join(' '),
    );
  }
});

t.test('kill-idle ends idle sessions, but never one that listens', async (t) => {
  const database = await filled(createDatabase);
  const admin = await stranger(t, database);
  const gateway = await startGateway(t, database);
  const listener = await untilOneListens(database);
  const connect = async (config: pg.ClientConfig, sql: string): Promise<number> => {
    const client = new pg.Client(config);
    client.on('error', () => undefined);
    await client.connect();
    t.teardown(() => client.end().catch(() => undefined));
    await client.query(sql);
    return (
      (await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]?.pid ?? 0
    );
  };
  const idle = await connect(database.config, 'SELECT 1');
  const guide = new pg.Client(database.config); // psql, or psycopg2, as the guide listens
  guide.on('error', () => undefined);
  await guide.connect();
  t.teardown(() => guide.end().catch(() => undefined));
  await guide.query('LISTEN vm_updates');
  const others = await connect(database.adminConfig, 'SELECT 1');

  const pids = (ended: Ended) =>
    (json(ended) as { pid: number; outcome: string }[]).map(({ pid }) => pid);
  t.same(pids(await db(database, ['kill-idle', '--json'])), [], 'nobody has been for ten minutes');
  const dry = await db(database, ['kill-idle', '--minutes', '0', '--dry-run', '--json']);
  t.ok(pids(dry).includes(idle));
  t.notOk(pids(dry).includes(listener));
  const ended = await db(database, ['kill-idle', '--minutes', '0', '--json']);
  t.equal(ended.code, 0, 'a superuser’s session is not seen without his rights');
  const there = async (): Promise<number[]> => {
    const { rows } = await admin.query<{ pid: number }>('SELECT pid FROM pg_stat_activity');
    return rows.map(({ pid }) => pid);
  };
  const told = json(ended) as { pid: number; outcome: string }[];
  const toEnd = told.flatMap(({ pid, outcome }) => (outcome === 'ended' ? pid : []));
  // kill-idle sends a signal, and does not wait for the sessions to end.
  await until('they are gone', async () => {
    const alive = await there();
    return !toEnd.some((pid) => alive.includes(pid));
  });
  t.ok(toEnd.includes(idle));
  t.ok((await there()).includes(others));
  t.same(await listening(database), [listener], 'the gateway listens as before');
  t.match((await guide.query('SELECT 1')).rows.length, 1, 'and so does the guide’s psql');
  await gateway.ready();
  const shown = await db(database, ['connections']);
  t.match(shown.stdout, new RegExp(`${listener} +lablink +lablink-gateway listen .*\\(listens\\)`));

  await admin.query('GRANT pg_read_all_stats TO stranger');
  const refused = await db(database, ['kill-idle', '--minutes', '0', '--json'], 'stranger');
  t.match(refused, { code: 1, stdout: /"outcome":"not allowed"/ }, 'another role’s');
});

t.test('slow queries are listed, and logged on request', async (t) => {
  const database = await createDatabase();
  const admin = await stranger(t, database);
  t.match((await db(database, ['slow-queries'])).stdout, /^pid +user .*\n$/);
  const slow = database.query('SELECT pg_sleep(60) /* the slow one */').catch(() => undefined);
  const rows = await until('it is shown', async () => {
    const found = json(await db(database, ['slow-queries', '--seconds', '0', '--json']));
    const isAsleep = (one: { waits?: unknown }): boolean => one.waits === 'Timeout PgSleep';
    return Array.isArray(found) && found.some(isAsleep) && found;
  });
  t.match(rows, [{ query: /the slow one/, seconds: Number, waits: 'Timeout PgSleep' }]);
  await admin.query(
    `SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(60)%'`,
  );
  await slow;

  const setting = async (): Promise<unknown> => {
    const fresh = new pg.Client(database.config);
    await fresh.connect();
    const result = await fresh.query('SHOW log_min_duration_statement');
    await fresh.end();
    return result.rows[0];
  };
  t.match(await db(database, ['log-slow', '--ms', '250', '--dry-run'], 'postgres'), { code: 0 });
  t.same(await setting(), { log_min_duration_statement: '-1' });
  t.match(await db(database, ['log-slow', '--ms', '250'], 'postgres'), { stdout: /before: -1/ });
  t.same(await setting(), { log_min_duration_statement: '250ms' });
  t.match(await db(database, ['log-slow', '--off'], 'postgres'), { code: 0 });
  t.same(await setting(), { log_min_duration_statement: '-1' });
});

t.test('doctor', async (t) => {
  const database = await createDatabase();
  t.match(await db(database, ['doctor']), { code: 0, stdout: /No problem was found/ });
  await database.query('DROP INDEX idx_vms_status');
  t.match(await db(database, ['doctor']), {
    code: 1,
    stdout: /warning: indexes_missing\n {2}.*idx_vms_status.*\n {2}Remedy: .*\n/,
  });
  t.match(json(await db(database, ['doctor', '--json'])), {
    well: false,
    findings: [{ id: 'indexes_missing', severity: 'warning' }],
    skipped: [{ check: 'hba' }],
  });
});
