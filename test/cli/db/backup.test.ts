// `db backup` and `db restore`: their output, and the files that they leave.

import { existsSync } from 'node:fs';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { installedBinDirs, startServer } from '../../helpers/database.js';
import { runDbOn as db, formatUrl } from '../../helpers/db-command.js';
import { MAIN, run, temporaryFolder } from '../../helpers/process.js';
import { scratchFolder } from '../../helpers/scratch-folder.js';
import { until } from '../../helpers/until.js';
import { filled, json } from './setup.js';

const hasTools = installedBinDirs().some(({ binDir }) => existsSync(join(binDir, 'pg_dump')));
const skip = !hasTools && 'there is no pg_dump';

const { createDatabase } = await startServer(t);

t.test('backup and restore', { skip }, async (t) => {
  const database = await filled(createDatabase);
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
  t.match(dry, { code: 0, stdout: /Would restore 4 VMs: 3 unchanged, 1 written, 0 existing/ });
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
  const moved = await db(database, ['move', '--to', formatUrl(target)]);
  t.match(moved, { code: 0, stdout: /public\.vms +4\n[^]*are equal[^]*To switch:[^]*1\. Stop/ });
  t.match(await db(database, ['move', '--to', formatUrl(target)]), {
    code: 2,
    stderr: /not empty/,
  });
});

t.test('a backup writes its time for Prometheus, after a success only', { skip }, async (t) => {
  const database = await createDatabase();
  const folder = await temporaryFolder(t);
  const metrics = join(folder, 'lablink.prom');
  const backup = ['backup', '--dir', folder, '--metrics-file', metrics];
  t.match(await db(database, [...backup, '--upload', 'false {}']), { code: 1 });
  t.notOk(existsSync(metrics));
  t.match(await db(database, [...backup, '--keep-days', '0']), { code: 0 });
  const text = await readFile(metrics, 'utf8');
  const name = String(database.config.database);
  const [, seconds] =
    new RegExp(`^backup_last_success_timestamp_seconds\\{database="${name}"\\} (\\d+)$`, 'm').exec(
      text,
    ) ?? [];
  t.ok(Math.abs(Number(seconds) - Date.now() / 1_000) < 3_600);
  t.equal((await stat(metrics)).mode & 0o777, 0o644);
  const nowhere = await db(database, ['backup', '--dir', folder, '--metrics-file', '/proc/x']);
  t.match(nowhere, { code: 1, stderr: /The backup is complete, but \/proc\/x cannot be written/ });
});

t.test('a backup without disk space, or interrupted, leaves no file', { skip }, async (t) => {
  const database = await createDatabase();
  await database.query(
    `INSERT INTO vms (hostname, status, crd_command) SELECT n, 'x', repeat(md5(n::text), 20000) FROM generate_series(1, 30) n`,
  );
  const folder = await temporaryFolder(t);
  const env = { DATABASE_URL: formatUrl(database) };
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
