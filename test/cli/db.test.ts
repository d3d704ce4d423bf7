// The subcommands of `db` as people use them: what they print, for people and for programs, what they refuse, and how
// they end.

import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import t, { type Test } from 'tap';
import { installedBinDirs, startServer, type TestDatabase } from '../helpers/database.js';
import { runDb, urlOf, type Ended } from '../helpers/db-command.js';
import { startGateway } from '../helpers/gateway.js';
import { MAIN, run, temporaryFolder } from '../helpers/process.js';
import { listening, untilOneListens } from '../helpers/sessions.js';
import { scratchFolder } from '../helpers/scratch-folder.js';
import { until } from '../helpers/until.js';

const hasTools = installedBinDirs().some(({ binDir }) => existsSync(join(binDir, 'pg_dump')));
const skip = !hasTools && 'there is no pg_dump';

const server = await startServer(t);
const { createDatabase } = server;

/** Runs `db …` on this database, as its owner or as another role. */
const db = (database: TestDatabase, args: readonly string[], user?: string): Promise<Ended> =>
  runDb(args, { DATABASE_URL: urlOf(database, user) });

const json = ({ stdout }: Ended): unknown => JSON.parse(stdout);

async function filled(): Promise<TestDatabase> {
  const database = await createDatabase();
  await database.query(
    `INSERT INTO vms (hostname, status, email, crd_command, created_at) VALUES
       ('young', 'available', NULL, NULL, '2026-01-02'), ('old', 'available', NULL, NULL, '2026-01-01'),
       ('used', 'in-use', 'ada@example.org', 'planted', '2026-01-01'),
       (E'evil\\x1b[2J\\u009b', 'failed', E'x\\ny', 'planted', '2026-01-01')`,
  );
  return database;
}

/** A role that may do nothing but connect. */
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

t.test('lists of VMs', async (t) => {
  const database = await filled();
  const all = await db(database, ['vms']);
  t.equal(all.code, 0);
  t.match(
    all.stdout.split('\n')[0],
    /^hostname +status +email +created +updated \(UTC\) +version$/,
  );
  t.equal(all.stdout.trimEnd().split('\n').length, 5);
  t.match(all.stdout, 'evil\\u001b[2J\\u009b');
  const columns = all.stdout
    .split('\n')
    .map((line) => line.search(/available|in-use|failed|status/));
  t.equal(new Set(columns.slice(0, 5)).size, 1, 'aligned');
  for (const args of [['vms'], ['vms', '--json'], ['find', '--email', 'ada@example.org']]) {
    const { stdout } = await db(database, args);
    t.notMatch(stdout, 'planted', args.join(' '));
    t.notMatch(stdout.replaceAll('\n', ''), /\p{Cc}/u, 'no control character');
    t.match(
      (await db(database, [...args, '--commands'])).stdout,
      'planted',
      'where it is asked for',
    );
  }
  const names = async (...args: string[]) =>
    (json(await db(database, ['vms', '--json', ...args])) as { hostname: string }[]).map(
      ({ hostname }) => hostname,
    );
  t.same(await names('--available'), ['old', 'young'], 'the oldest first');
  t.same(await names('--in-use'), ['used']);
  t.same(await names('--status', 'failed'), ['evil\u001b[2J\u009b']);
  t.match(await db(database, ['vms', '--available', '--in-use']), {
    code: 2,
    stderr: /one status/,
  });
  t.same(json(await db(database, ['count', '--json'])), { available: 2, failed: 1, 'in-use': 1 });
  t.match((await db(database, ['count'])).stdout, /^status +count\navailable +2\n/);
  t.match(await db(database, ['find', '--email', 'nobody']), { code: 1 });
});

t.test('the schema', async (t) => {
  const database = await createDatabase({ migrate: false });
  t.match(await db(database, ['status']), { code: 4, stdout: /000001_vms +pending/ });
  t.match(json(await db(database, ['migrate', '--dry-run'])), { pending: ['000001_vms'] });
  t.match(await db(database, ['vms']), { code: 4, stderr: /db migrate/ });
  t.match(await db(database, ['migrate']), { code: 0, stdout: /"applied":\["000001_vms"/ });
  t.match(await db(database, ['status']), { code: 0 });
  await database.query(
    'DROP INDEX idx_vms_email; ALTER TABLE vms DISABLE TRIGGER vm_stamp_trigger',
  );
  t.match(await db(database, ['status']), { code: 1, stdout: /vm_stamp_trigger is disabled/ });
  t.match(json(await db(database, ['status', '--json'])), {
    pending: [],
    problem: null,
    indexes: ['the index idx_vms_email is missing'],
  });
});

t.test('clear takes the count, and nothing else, for a yes', async (t) => {
  const database = await filled();
  t.match(await db(database, ['clear']), { code: 2, stderr: /There are 4 VMs; .*--confirm 4/ });
  t.match(await db(database, ['clear', '--confirm', '3']), { code: 2, stderr: /not 3/ });
  t.match(await db(database, ['clear', '--confirm', 'all']), { code: 2 });
  t.match(await db(database, ['clear', '--confirm', '4', '--dry-run']), {
    stdout: /Would remove 4 VMs/,
  });
  t.same(json(await db(database, ['count', '--json'])), { available: 2, failed: 1, 'in-use': 1 });
  t.match(await db(database, ['clear', '--confirm', '4']), { code: 0, stdout: /Removed 4 VMs/ });
  t.same(json(await db(database, ['count', '--json'])), {});
  const [events] = await database.query(
    `SELECT count(*)::int FROM vm_events WHERE op = 'truncate' AND actor = 'cli:clear'`,
  );
  t.same(events, { count: 4 }, 'the audit has them');
});

t.test('maintenance', async (t) => {
  const database = await filled();
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

t.test('kill-idle ends who is idle, and nobody who listens', async (t) => {
  const database = await filled();
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
  t.ok(pids(ended).includes(idle));
  t.equal(ended.code, 0, 'a superuser’s session is not seen without his rights');
  const { rows } = await admin.query<{ pid: number }>('SELECT pid FROM pg_stat_activity');
  const alive = rows.map(({ pid }) => pid);
  t.notOk(alive.includes(idle));
  t.ok(alive.includes(others));
  t.same(await listening(database), [listener], 'the gateway listens as before');
  t.match((await guide.query('SELECT 1')).rows.length, 1, 'and so does the guide’s psql');
  await gateway.ready();
  const shown = await db(database, ['connections']);
  t.match(shown.stdout, new RegExp(`${listener} +lablink +lablink-gateway listen .*\\(listens\\)`));

  await admin.query('GRANT pg_read_all_stats TO stranger');
  const refused = await db(database, ['kill-idle', '--minutes', '0', '--json'], 'stranger');
  t.match(refused, { code: 1, stdout: /"outcome":"not allowed"/ }, 'another role’s');
});

t.test('slow queries, and the logging of them', async (t) => {
  const database = await createDatabase();
  const admin = await stranger(t, database);
  t.match((await db(database, ['slow-queries'])).stdout, /^pid +user .*\n$/);
  const slow = database.query('SELECT pg_sleep(60) /* the slow one */').catch(() => undefined);
  const rows = await until('it is shown', async () => {
    const found = json(await db(database, ['slow-queries', '--seconds', '0', '--json']));
    return Array.isArray(found) && found.length > 0 && found;
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

t.test('listen shows each change, decoded, with how long it took', async (t) => {
  const database = await filled();
  const env = { DATABASE_URL: urlOf(database) };
  const lines = run(t, process.execPath, [MAIN, 'db', 'listen'], { env });
  const objects = run(t, process.execPath, [MAIN, 'db', 'listen', '--json'], { env });
  for (const program of [lines, objects])
    await program.until(({ stderr }) => stderr.includes('listening'));
  await database.query(`UPDATE vms SET crd_command = 'planted too' WHERE hostname = 'used'`);
  await database.query(`DELETE FROM vms WHERE hostname = 'old'`);
  await database.query(`SELECT pg_notify('vm_updates', E'not\\x1b json')`);
  for (const program of [lines, objects])
    await program.until(({ stdout }) => stdout.includes('u001b'));
  t.match(lines.stdout, /^\S+Z  used  in-use  ada@example.org  version \d+  -?\d+ ms\n/);
  t.match(lines.stdout, /^\S+Z  read  old$/m);
  t.match(lines.stdout, /vm_updates  not JSON:  not\\u001b json/);
  const [first] = objects.stdout.split('\n');
  t.match(JSON.parse(first ?? ''), {
    channel: 'vm_updates',
    latency_ms: Number,
    content: { hostname: 'used' },
  });
  t.notMatch(lines.stdout + objects.stdout, 'planted');
  lines.child.kill('SIGINT');
  t.same(await lines.exited, { code: 0, signal: null });
  await database.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'lablink-gateway db listen'
     AND datname = current_database()`,
  );
  t.same(await objects.exited, { code: 3, signal: null }, 'a connection that is lost');
});

t.test('sql: a statement, psql, and a plain prompt', async (t) => {
  const database = await filled();
  t.match(await db(database, ['sql', `SELECT hostname FROM vms WHERE status = 'in-use'`]), {
    code: 0,
    stdout: '{"hostname":"used"}\n',
  });
  t.match(await db(database, ['sql', 'SELEC']), { code: 1, stderr: /syntax error.*42601/ });
  const typed = async (args: string, text: string) => {
    const command = `printf '%s' "$TEXT" | "$0" "$1" db sql ${args}`;
    const env = { DATABASE_URL: urlOf(database), TEXT: text };
    const program = run(t, 'sh', ['-c', command, process.execPath, MAIN], { env });
    const { code } = await program.exited;
    return { code, stdout: program.stdout, stderr: program.stderr };
  };
  const plain = await typed(
    '--no-psql',
    `SELECT hostname,\n email FROM vms WHERE id = 3;\nSELECT nope;\nUPDATE vms SET email = 'y' WHERE id = 3;\n\\q\nSELECT 99;`,
  );
  t.equal(plain.stdout, 'hostname  email\nused      ada@example.org\n(1 row)\nUPDATE 1\n');
  t.match(plain, { code: 1, stderr: /ERROR: column "nope" does not exist/ });
  if (!hasTools) return;
  t.match(await typed('', 'SELECT count(*) FROM vms;'), { code: 0, stdout: / count \n-+\n +4\n/ });
});

t.test('backup and restore', { skip }, async (t) => {
  const database = await filled();
  const folder = await scratchFolder();
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const backup = ['backup', '--dir', folder];
  t.match(await db(database, [...backup, '--dry-run']), {
    code: 0,
    stdout: /Would write .*\.sql with/,
  });
  t.same(await readdir(folder), []);
  t.match(await db(database, [...backup, '--keep-days', '-1']), { code: 2 });
  const made = json(await db(database, [...backup, '--verify', '--gzip', '--json'])) as {
    file: string;
  };
  t.match(made, { vms: 4, verified: true });
  t.match(await db(database, ['restore', made.file]), {
    code: 2,
    stderr: /There are 4 VMs.*--replace/,
  });
  await database.query(`DELETE FROM vms WHERE hostname = 'old'`);
  const dry = await db(database, ['restore', made.file, '--replace', '--dry-run']);
  t.match(dry, { code: 0, stdout: /Would restore 4 VMs: 3 as they are, 1 written, 0 that/ });
  const restored = await db(database, ['restore', made.file, '--replace', '--json']);
  t.match(json(restored), { vms: 4, kept: 3, added: 1, events: 0 });
  t.match(await db(database, ['restore', join(folder, 'none')]), {
    code: 2,
    stderr: /cannot be read/,
  });
  t.match(await db(database, ['move', '--to', 'nonsense']), {
    code: 2,
    stderr: /--to \(not shown\)/,
  });
  const target = await createDatabase({ migrate: false });
  const moved = await db(database, ['move', '--to', urlOf(target)]);
  t.match(moved, { code: 0, stdout: /public\.vms +4\n[^]*are equal[^]*To switch:[^]*1\. Stop/ });
  t.match(await db(database, ['move', '--to', urlOf(target)]), { code: 2, stderr: /not empty/ });
});

t.test('a backup that finds no room, or is interrupted, leaves nothing', { skip }, async (t) => {
  const database = await createDatabase();
  await database.query(
    `INSERT INTO vms (hostname, status, crd_command) SELECT n, 'x', repeat(md5(n::text), 20000) FROM generate_series(1, 30) n`,
  );
  const folder = await temporaryFolder(t);
  const env = { DATABASE_URL: urlOf(database) };
  const start = (limit: string) =>
    run(
      t,
      'sh',
      ['-c', `${limit} exec "$0" "$@"`, process.execPath, MAIN, 'db', 'backup', '--dir', folder],
      { env },
    );
  const full = start('ulimit -f 64;');
  t.match(await full.exited, { code: 1 });
  t.match(full.stderr, /cannot be written: (EFBIG|ENOSPC)/);
  t.same(await readdir(folder), []);
  const interrupted = start('');
  await until('it writes', async () => (await readdir(folder)).length > 0);
  interrupted.child.kill('SIGTERM');
  const { code } = await interrupted.exited;
  const left = await readdir(folder);
  t.ok(
    code === 1 ? left.length === 0 : left.every((name) => name.endsWith('.sql')),
    'whole or not at all',
  );
});

t.test('a reader who has had enough ends nothing badly', async (t) => {
  const database = await createDatabase();
  await database.query(
    `INSERT INTO vms (hostname, status) SELECT 'vm-' || n, 'available' FROM generate_series(1, 5000) n`,
  );
  const command = '"$0" "$1" db vms | head -n 1';
  const env = { DATABASE_URL: urlOf(database) };
  const program = run(t, 'sh', ['-c', command, process.execPath, MAIN], { env });
  t.match(await program.exited, { code: 0 });
  t.equal(program.stderr, '');
});

t.test('doctor', async (t) => {
  const database = await createDatabase();
  t.match(await db(database, ['doctor']), { code: 0, stdout: /Nothing was found/ });
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

t.test('each has its help, and a database that is away or refuses is told', async (t) => {
  const names =
    'migrate status vms count find clear backup restore move vacuum reindex size connections kill-idle slow-queries log-slow listen sql doctor';
  const database = await createDatabase();
  const away = { DATABASE_URL: 'postgresql://lablink@127.0.0.1:1/lablink_db' };
  const needed: Readonly<Record<string, readonly string[]>> = {
    find: ['--email', 'x'],
    restore: ['package.json'],
    move: ['--to', urlOf(database)],
    sql: ['SELECT 1'],
  };
  for (const name of names.split(' ')) {
    t.match(await runDb([name, '--help'], away), { code: 0, stdout: 'Usage: db' }, name);
    t.match(await runDb([name, '--nonsense'], away), { code: 2 }, name);
    const failed = await runDb([name, ...(needed[name] ?? [])], away);
    t.match(failed, { code: 3, stderr: /ECONNREFUSED/ }, name);
  }
  t.match(await db(database, ['vms'], 'nobody_knows'), { code: 2, stderr: /nobody_knows/ });
});
