// Habits of people who know psql: times, pipes, exit codes, and tables that belong to others.

import { existsSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import t, { type Test } from 'tap';
import { installedBinDirs, startServer, type TestDatabase } from '../../helpers/database.js';
import { runDbOn as db, formatUrl } from '../../helpers/db-command.js';
import { MAIN, run, runCommand, temporaryFolder } from '../../helpers/process.js';
import { filled } from './setup.js';

const tools = installedBinDirs().find(({ binDir }) => existsSync(join(binDir, 'pg_dump')));
const skip = tools === undefined && 'there is no pg_dump';
const { createDatabase } = await startServer(t, tools && { binDir: tools.binDir });

async function connect(t: Test, { adminConfig }: TestDatabase): Promise<pg.Client> {
  const client = new pg.Client(adminConfig);
  client.on('error', () => undefined);
  await client.connect();
  t.teardown(() => client.end().catch(() => undefined));
  return client;
}

t.test('a time has the zone that PostgreSQL gives it, and no other', async (t) => {
  const database = await createDatabase();
  const admin = await connect(t, database);
  await admin.query(
    `ALTER DATABASE ${String(database.config.database)} SET TimeZone TO 'Asia/Tokyo'`,
  );
  const sql = `SELECT timestamp '2026-01-02 03:04:05' AS t, date '2026-01-02' AS d,
    timestamptz '2026-01-02 03:04:05+00' AS z, ARRAY[timestamp '2026-01-02 03:04:05'] AS a, interval '1 day' AS i`;
  const env = { DATABASE_URL: formatUrl(database), TZ: 'America/New_York' };
  const program = runCommand(t, ['db', 'sql', sql], env);
  t.match(await program.exited, { code: 0 });
  t.same(JSON.parse(program.stdout), {
    t: '2026-01-02 03:04:05',
    d: '2026-01-02',
    z: '2026-01-02 12:04:05+09',
    a: '{"2026-01-02 03:04:05"}',
    i: '1 day',
  });
});

t.test(
  'a session whose last statements begin with LISTEN, or end with it, is spared',
  async (t) => {
    const database = await createDatabase();
    const pids: number[] = [];
    for (const sql of [
      'LISTEN foo; SELECT 1',
      'SELECT 1; LISTEN foo',
      `SELECT 1\n;\tlisten "Foo"`,
    ]) {
      const client = new pg.Client(database.config);
      client.on('error', () => undefined);
      await client.connect();
      t.teardown(() => client.end().catch(() => undefined));
      const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      pids.push(rows[0]?.pid ?? 0);
      await client.query(sql);
    }
    const { stdout } = await db(database, ['kill-idle', '--minutes', '0', '--dry-run', '--json']);
    const shown = (JSON.parse(stdout) as { pid: number }[]).map(({ pid }) => pid);
    t.notOk(pids.some((pid) => shown.includes(pid)));
  },
);

t.test('an error in piped SQL gives an exit code', { skip }, async (t) => {
  const database = await filled(createDatabase);
  const command = `printf 'SELECT nope;\\nDELETE FROM vms;' | "$0" "$1" db sql`;
  const env = { DATABASE_URL: formatUrl(database) };
  const program = run(t, 'sh', ['-c', command, process.execPath, MAIN], { env });
  t.match(await program.exited, { code: 1 });
  t.equal((await database.query('SELECT FROM vms')).length, 4, 'and nothing after it is run');
});

t.test('a truncated backup gives a sentence', { skip }, async (t) => {
  const database = await filled(createDatabase);
  const folder = await temporaryFolder(t);
  await db(database, ['backup', '--dir', folder, '--gzip']);
  const [name = ''] = await readdir(folder);
  const whole = await readFile(join(folder, name));
  for (const [wrong, bytes] of Object.entries({
    'cut.sql.gz': whole.subarray(0, whole.length / 2),
    'bad.sql.gz': Buffer.concat([whole.subarray(0, 100), Buffer.alloc(200)]),
  })) {
    await writeFile(join(folder, wrong), bytes);
    const { code, stderr } = await db(database, ['restore', join(folder, wrong), '--replace']);
    t.match({ code, stderr }, { code: 2, stderr: /^The file cannot be restored: .*\.\n$/ }, wrong);
  }
  t.equal((await database.query('SELECT FROM vms')).length, 4);
});

t.test('a dry run of log-slow needs the rights of the real one', async (t) => {
  const database = await createDatabase();
  for (const args of [['log-slow'], ['log-slow', '--dry-run']])
    t.match(await db(database, args), { code: 2, stderr: /permission denied/ }, args.join(' '));
  const dry = await db(database, ['log-slow', '--dry-run'], 'postgres');
  t.match(dry, { code: 0, stdout: /^Would run ALTER DATABASE/ });
});

t.test('reindex goes on past the tables of others, and removes what was left', async (t) => {
  const database = await createDatabase();
  const admin = await connect(t, database);
  await admin.query('CREATE TABLE public.aaa (a int PRIMARY KEY)');
  await database.query('CREATE INDEX idx_vms_email_ccnew ON vms (email)');
  await admin.query(
    `UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'idx_vms_email_ccnew'::regclass`,
  );
  const { code, stdout, stderr } = await db(database, ['reindex']);
  t.equal(code, 2);
  t.match(stderr, /aaa/);
  t.match(stdout, /public\.vms$/m);
  t.notMatch(stdout, 'aaa');
  const left = await database.query(`SELECT FROM pg_class WHERE relname LIKE '%ccnew'`);
  t.equal(left.length, 0, 'an interrupted run left it');
});

t.test('a reader that has seen enough ends no command with an error', async (t) => {
  for (const command of ['openapi', 'asyncapi', '--help']) {
    const program = run(t, 'sh', [
      '-c',
      `{ "$0" "$1" ${command}; echo "$?" >&2; } | head -c 10`,
      ...[process.execPath, MAIN],
    ]);
    await program.exited;
    t.equal(program.stderr, '0\n', command);
  }
});
