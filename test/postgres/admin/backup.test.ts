// Backups are complete or absent, are verified and uploaded on request, and old ones are removed
// only after a success.

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import t from 'tap';
import { createToolEnvironment } from '../../../src/config/load.js';
import { backUp, type BackupOptions } from '../../../src/postgres/admin/backup.js';
import { compareChecksums, computeChecksum } from '../../../src/postgres/admin/checksum.js';
import { withSession } from '../../../src/postgres/admin/session.js';
import { findTools } from '../../../src/postgres/admin/tools.js';
import { moveDatabase } from '../../../src/postgres/admin/move.js';
import { withLibpqEnvironment } from '../../../src/postgres/admin/libpq.js';
import { installedBinDirs, startServer, type TestDatabase } from '../../helpers/database.js';
import { startProxy } from '../../faults/proxy.js';
import { scratchFolder } from '../../helpers/scratch-folder.js';
import { openSession } from '../../schema/session.js';

const tools = installedBinDirs().find(({ binDir }) => existsSync(join(binDir, 'pg_dump')));
const skip = tools === undefined && 'there is no pg_dump';
const NOW = new Date('2026-11-24T02:00:00.5Z');

t.test('backups', { skip }, async (t) => {
  const binDir = tools?.binDir ?? '';
  const server = await startServer(t, { binDir });
  const { createDatabase } = server;
  const folder = await scratchFolder();
  t.teardown(() => rm(folder, { recursive: true, force: true }));

  const optionsFor = ({ config }: TestDatabase, more: Partial<BackupOptions>): BackupOptions => ({
    connection: config,
    environment: createToolEnvironment(),
    folder: join(folder, String(config.database)),
    keepDays: 7,
    gzip: false,
    verify: false,
    uploadCommand: undefined,
    now: NOW,
    signal: new AbortController().signal,
    ...more,
  });
  const filled = async (): Promise<TestDatabase> => {
    const database = await createDatabase();
    await database.query(
      `INSERT INTO vms (hostname, status, email) SELECT 'vm-' || n, 'in-use', 'x' FROM generate_series(1, 50) n`,
    );
    return database;
  };
  const psql = async ({ config }: TestDatabase, file: string): Promise<void> => {
    const { host, port, user, database } = config;
    const way = ['-h', String(host), '-p', String(port), '-U', String(user), String(database)];
    await promisify(execFile)(join(binDir, 'psql'), [...way, '-X', '-q', '-f', file]);
  };

  t.test('a backup is one complete file that other users cannot read', async (t) => {
    const database = await filled();
    const report = await backUp(optionsFor(database, { verify: true }));
    const name = `${database.config.database}_20261124T020000Z.sql`;
    t.match(report, { vms: 50, verified: true, uploaded: false, removed: [] });
    t.same(await readdir(join(folder, String(database.config.database))), [name]);
    t.equal((await stat(report.file)).mode & 0o777, 0o600);
    t.equal((await stat(report.file)).size, report.bytes);
    const again = await createDatabase({ migrate: false });
    await psql(again, report.file);
    t.same(
      await again.query('SELECT * FROM vms ORDER BY id'),
      await database.query('SELECT * FROM vms ORDER BY id'),
      'psql < file, as ever',
    );
    const scratch = await database.query(
      `SELECT FROM pg_database WHERE datname LIKE 'lablink_scratch%'`,
    );
    t.same(scratch, [], 'the scratch database is gone');
  });

  t.test('a compressed backup under writers is verified', async (t) => {
    const database = await filled();
    const stop = new AbortController();
    const writer = (async () => {
      while (!stop.signal.aborted) await database.query(`UPDATE vms SET email = random()::text`);
    })();
    const report = await backUp(optionsFor(database, { gzip: true, verify: true }));
    stop.abort();
    await writer;
    t.match(report, { file: /\.sql\.gz$/, verified: true });
  });

  t.test(
    'old ones go after a success, by their names, and never the newest or what is not ours',
    async (t) => {
      const database = await filled();
      const name = String(database.config.database);
      const options = optionsFor(database, { uploadCommand: 'cat {} > "$1.copy"' });
      await mkdir(options.folder);
      const put = async (...names: string[]): Promise<void> => {
        for (const file of names) await writeFile(join(options.folder, file), 'x');
      };
      const kept = [
        'notes.txt',
        'lablink_old.sql',
        `other_20200101T000000Z.sql`,
        `${name}_20200101.sql`,
        `${name}_20261117T020001Z.sql`,
      ];
      await put(...kept, `${name}_20261117T015959Z.sql`, `${name}_20200101T000000Z.sql.gz`);
      await put(`${name}_20200101T000000Z.sql.partial`);
      const old = new Date('2020-01-01');
      await utimes(join(options.folder, 'notes.txt'), old, old);
      const before = await readdir(options.folder);

      await t.rejects(backUp({ ...options, uploadCommand: 'echo {} >/dev/null; exit 3' }), {
        code: 'failed',
        message: /upload failed \(exit code 3\); the backup stays at/,
      });
      const made = `${name}_20261124T020000Z.sql`;
      const backups = before.filter((file) => !file.endsWith('.partial'));
      t.same(await readdir(options.folder), [...backups, made].sort(), 'none went, and it is kept');
      await t.rejects(backUp({ ...options, uploadCommand: 'aws s3 cp' }), {
        message: /must contain \{\}/,
      });

      const report = await backUp(options);
      t.same([...report.removed].sort(), [
        `${name}_20200101T000000Z.sql.gz`,
        `${name}_20261117T015959Z.sql`,
      ]);
      t.same(await readdir(options.folder), [...kept, made, `${made}.copy`].sort());
      t.same(await readFile(`${report.file}.copy`), await readFile(report.file), 'uploaded');

      // A clock that was set back must not remove today's backup.
      const late = await backUp({
        ...options,
        now: new Date('2031-01-01T00:00:00Z'),
        keepDays: 0,
        uploadCommand: undefined,
      });
      t.ok(existsSync(late.file));
      const back = await backUp({ ...options, keepDays: 0, uploadCommand: undefined });
      t.ok(existsSync(late.file), 'the newest by name');
      t.ok(existsSync(back.file), 'and the one just made');
    },
  );

  t.test('a failed backup leaves no file and removes none', async (t) => {
    const database = await filled();
    const name = String(database.config.database);
    const options = optionsFor(database, {});
    await mkdir(options.folder);
    await writeFile(join(options.folder, `${name}_20200101T000000Z.sql`), 'old');
    const admin = await openSession(t, database.adminConfig);

    await admin.query('CREATE ROLE stranger LOGIN');
    await admin.query(`GRANT CONNECT ON DATABASE ${name} TO stranger`);
    await t.rejects(backUp({ ...options, connection: { ...database.config, user: 'stranger' } }), {
      code: 'rights',
    });

    await database.query('CREATE TABLE secrets (x text); REVOKE ALL ON secrets FROM PUBLIC');
    await admin.query(`GRANT SELECT ON vms TO stranger`);
    await t.rejects(
      backUp({ ...options, connection: { ...database.config, user: 'stranger' } }),
      { code: 'rights', message: /^pg_dump: .*permission denied/ },
      'pg_dump’s own failure',
    );

    await admin.query('ALTER ROLE lablink NOCREATEDB');
    await t.rejects(backUp({ ...options, verify: true }), { code: 'rights', message: /CREATEDB/ });
    await admin.query('ALTER ROLE lablink CREATEDB');

    // This can be dumped, but not restored.
    await database.query(`CREATE FUNCTION passes(int) RETURNS boolean LANGUAGE sql AS 'SELECT true';
      CREATE TABLE checked (a int CHECK (passes(a))); INSERT INTO checked VALUES (1);
      CREATE OR REPLACE FUNCTION passes(int) RETURNS boolean LANGUAGE sql AS 'SELECT false'`);
    await t.rejects(backUp({ ...options, verify: true }), {
      code: 'failed',
      message: /^psql: .*violates/,
    });

    const stopped = new AbortController();
    stopped.abort();
    await t.rejects(backUp({ ...options, signal: stopped.signal }), { message: /^Interrupted/ });
    await t.rejects(
      backUp({
        ...options,
        environment: { PATH: '' },
        connection: { ...database.config, database: 'nowhere' },
      }),
      { code: '3D000' },
    );

    const proxy = await startProxy(t, database.config);
    await database.query(
      `INSERT INTO vms (hostname, status, crd_command) SELECT 'big-' || n, 'x', repeat(md5(n::text), 20000) FROM generate_series(1, 20) n`,
    );
    const through = backUp({ ...options, connection: proxy.through(database.config) });
    const cut = setInterval(() => {
      if (existsSync(join(options.folder, `${name}_20261124T020000Z.sql.partial`))) proxy.cut();
    }, 1);
    await t.rejects(through, { code: 'unreachable' }, 'the server goes away meanwhile');
    clearInterval(cut);
    t.same(await readdir(options.folder), [`${name}_20200101T000000Z.sql`]);

    if (process.getuid?.() !== 0) {
      await chmod(options.folder, 0o500);
      await t.rejects(backUp(options), { code: 'refused', message: /EACCES/ });
      await chmod(options.folder, 0o700);
    }
    await writeFile(join(folder, 'a-file'), '');
    await t.rejects(backUp({ ...options, folder: join(folder, 'a-file') }), {
      message: /cannot be written/,
    });
  });

  t.test('a move copies everything, and reports what would be lost', async (t) => {
    const source = await filled();
    const target = await createDatabase({ migrate: false });
    const options = {
      connection: source.config,
      target: target.config,
      environment: createToolEnvironment(),
      signal: new AbortController().signal,
    };
    const admin = await openSession(t, source.adminConfig);
    t.match(await moveDatabase({ ...options, dryRun: true }), { tables: { 'public.vms': 50 } });
    t.same(await target.query(`SELECT FROM pg_class WHERE relname = 'vms'`), [], 'a dry run');

    const report = await moveDatabase({ ...options, dryRun: false });
    t.match(report, { tables: { 'public.vms': 50, 'public.vm_events': 50 }, changedSince: [] });
    t.same(await target.query('SELECT * FROM vms'), await source.query('SELECT * FROM vms'));
    await target.query(`INSERT INTO vms (hostname, status) VALUES ('one', 'in-use')`);
    t.same(
      await target.query(
        `SELECT id, assignment_id IS NOT NULL AS given FROM vms WHERE hostname = 'one'`,
      ),
      [{ id: 51, given: true }],
      'triggers and sequences work there',
    );

    await t.rejects(moveDatabase({ ...options, dryRun: false }), {
      code: 'refused',
      message: /not empty/,
    });
    await target.query('DROP SCHEMA public CASCADE; CREATE SCHEMA public');
    await target.query('REVOKE CREATE ON SCHEMA public FROM PUBLIC');

    // Rights of a role that is missing on the target. There is one server here, so the role is
    // renamed.
    await admin.query('CREATE ROLE gateway LOGIN');
    await admin.query('GRANT SELECT ON public.vms TO gateway');
    t.match(await moveDatabase({ ...options, dryRun: false }), { tables: { 'public.vms': 50 } });
    const rights = `SELECT has_table_privilege('gateway', 'vms', 'SELECT') AS may`;
    t.same(await target.query(rights), [{ may: true }], 'rights go with it');

    const denied = await createDatabase({ migrate: false });
    await admin.query('CREATE ROLE guest LOGIN');
    await admin.query(`GRANT CONNECT ON DATABASE ${denied.config.database} TO guest`);
    const guest = { ...denied.config, user: 'guest' };
    await t.rejects(moveDatabase({ ...options, target: guest, dryRun: false }), { code: 'rights' });
    t.same(
      await denied.query(`SELECT FROM pg_class WHERE relname = 'vms'`),
      [],
      'nothing is left there',
    );
    await t.rejects(
      moveDatabase({ ...options, target: { ...guest, database: 'nowhere' }, dryRun: true }),
      {
        code: '3D000',
      },
    );
  });

  t.test('every difference of a copy is reported', async (t) => {
    const source = await filled();
    const image = async ({ config }: TestDatabase) => withSession(config, 'test', computeChecksum);
    const original = await image(source);
    const file = (await backUp(optionsFor(source, {}))).file;
    const WRONG: Readonly<Record<string, RegExp>> = {
      'SELECT 1': /^$/,
      "DELETE FROM vms WHERE hostname = 'vm-1'": /public\.vms has 49 rows, not 50/,
      "UPDATE vms SET email = 'y' WHERE hostname = 'vm-1'": /rows of public\.vms differ/,
      'DROP TABLE vm_enrolments': /public\.vm_enrolments is missing/,
      'ALTER TABLE vms DISABLE TRIGGER vm_stamp_trigger': /missing or changed: .*vm_stamp_trigger/,
      "SELECT setval('vms_id_seq', 7)": /sequence public\.vms_id_seq is at 7/,
    };
    for (const [sql, words] of Object.entries(WRONG)) {
      const copy = await createDatabase({ migrate: false });
      await psql(copy, file);
      await copy.query(sql);
      const told = compareChecksums(original, await image(copy), original.sequences).join('; ');
      t.match(told, words, sql);
    }
  });

  t.test('missing programs, and programs older than the server, are reported', async (t) => {
    await t.rejects(findTools(['pg_dump'], 15, []), {
      code: 'tools',
      message: /pg_dump is not on this machine.*postgresql-client-15/,
    });
    await t.rejects(findTools(['pg_dump', 'psql'], 99, [binDir]), {
      code: 'tools',
      message: /pg_dump and psql here: PostgreSQL \d+; the server is 99.*postgresql-client-99/,
    });
    t.equal((await findTools(['pg_dump'], 13, ['/nowhere', binDir])).folder, binDir);
  });

  t.test('no secret is an argument, and the environment has only libpq variables', async (t) => {
    const connection = { host: 'h', port: 1, user: 'u', database: 'd', password: 'planted' };
    const base = { PATH: '/bin', HOME: '/h' };
    await withLibpqEnvironment(connection, base, async (env) => {
      t.match(env, {
        ...base,
        PGHOST: 'h',
        PGPORT: '1',
        PGPASSWORD: 'planted',
        PGSSLMODE: 'disable',
      });
    });
    let root = '';
    await withLibpqEnvironment({ ...connection, ssl: true }, base, async (env) => {
      root = env.PGSSLROOTCERT ?? '';
      t.equal(env.PGSSLMODE, 'verify-full');
      t.match(await readFile(root, 'utf8'), 'BEGIN CERTIFICATE', 'as Node trusts');
    });
    t.notOk(existsSync(root));
    await withLibpqEnvironment(
      { ...connection, ssl: { rejectUnauthorized: false } },
      base,
      async (env) => {
        t.equal(env.PGSSLMODE, 'require');
      },
    );
    const env = createToolEnvironment({
      PATH: 'p',
      JWT_SECRET: 's',
      DATABASE_URL: 'd',
      PGHOST: 'h',
      PGSERVICE: 's',
      PGPASSFILE: 'f',
      AWS_PROFILE: 'a',
      LABLINK_CONFIG: 'c',
    });
    t.same(env, { PATH: 'p', PGPASSFILE: 'f', AWS_PROFILE: 'a' });
  });
});

t.test('a server newer than the programs is refused', { skip }, async (t) => {
  const newer = installedBinDirs().find(
    ({ majorVersion }) => majorVersion > (tools?.majorVersion ?? 99),
  );
  if (newer === undefined) return void t.pass('there is none here');
  const { config } = await (await startServer(t, { binDir: newer.binDir })).createDatabase();
  const folder = await scratchFolder();
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const backup = backUp({
    ...{
      connection: config,
      environment: createToolEnvironment(),
      folder,
      keepDays: 7,
      gzip: false,
    },
    ...{ verify: false, uploadCommand: undefined, now: NOW, signal: new AbortController().signal },
  });
  await t.rejects(backup, { code: 'tools', message: /older ones cannot be used.*Install/ });
  t.same(await readdir(folder), []);
  await new pg.Client(config).end().catch(() => undefined);
});
