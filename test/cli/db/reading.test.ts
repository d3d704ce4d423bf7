// The subcommands of `db` that show VMs and changes, or run SQL: their output for people and for
// programs, their refusals, and their exit codes.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { installedBinDirs, startServer } from '../../helpers/database.js';
import { runDb, runDbOn as db, formatUrl } from '../../helpers/db-command.js';
import { MAIN, run } from '../../helpers/process.js';
import { filled, json } from './setup.js';

const hasPsql = installedBinDirs().some(({ binDir }) => existsSync(join(binDir, 'psql')));

const { createDatabase } = await startServer(t);

t.test('lists of VMs', async (t) => {
  const database = await filled(createDatabase);
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

t.test('clear accepts only the number of VMs as confirmation', async (t) => {
  const database = await filled(createDatabase);
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

t.test('listen prints each change, decoded, with its latency', async (t) => {
  const database = await filled(createDatabase);
  const env = { DATABASE_URL: formatUrl(database) };
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
  const database = await filled(createDatabase);
  t.match(await db(database, ['sql', `SELECT hostname FROM vms WHERE status = 'in-use'`]), {
    code: 0,
    stdout: '{"hostname":"used"}\n',
  });
  t.match(await db(database, ['sql', 'SELEC']), { code: 1, stderr: /syntax error.*42601/ });
  const typed = async (args: string, text: string) => {
    const command = `printf '%s' "$TEXT" | "$0" "$1" db sql ${args}`;
    const env = { DATABASE_URL: formatUrl(database), TEXT: text };
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
  if (!hasPsql) return;
  t.match(await typed('', 'SELECT count(*) FROM vms;'), { code: 0, stdout: / count \n-+\n +4\n/ });
});

t.test('a closed stdout does not interrupt an operation', async (t) => {
  const database = await createDatabase();
  await database.query(
    `INSERT INTO vms (hostname, status) SELECT 'vm-' || n, 'available' FROM generate_series(1, 5000) n`,
  );
  const command = '"$0" "$1" db vms | head -n 1';
  const env = { DATABASE_URL: formatUrl(database) };
  const program = run(t, 'sh', ['-c', command, process.execPath, MAIN], { env });
  t.match(await program.exited, { code: 0 });
  t.equal(program.stderr, '');
});

t.test('each subcommand has help, and reports an unreachable or refusing database', async (t) => {
  const names =
    'migrate status vms count find clear backup restore move prune vacuum reindex size connections kill-idle slow-queries log-slow listen sql doctor';
  const database = await createDatabase();
  const away = { DATABASE_URL: 'postgresql://lablink@127.0.0.1:1/lablink_db' };
  const needed: Readonly<Record<string, readonly string[]>> = {
    find: ['--email', 'x'],
    restore: ['package.json'],
    move: ['--to', formatUrl(database)],
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
