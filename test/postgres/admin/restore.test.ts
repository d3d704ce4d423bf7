// Restores from own dumps, older dumps and bad files, and under a live gateway.

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import pg from 'pg';
import t from 'tap';
import { createClient } from '../../../src/client/index.js';
import { restore } from '../../../src/postgres/admin/restore.js';
import { installedBinDirs, startServer, type TestDatabase } from '../../helpers/database.js';
import { startGateway } from '../../helpers/gateway.js';
import { scratchFolder } from '../../helpers/scratch-folder.js';
import { until } from '../../helpers/until.js';
import { createGuideDatabase } from '../../schema/guide.js';
import { openSession } from '../../schema/session.js';

const execute = promisify(execFile);
const tools = installedBinDirs().find(({ binDir }) => existsSync(join(binDir, 'pg_dump')));
const skip = tools === undefined && 'there is no pg_dump';

const ALL = `SELECT coalesce(json_agg(to_jsonb(v) - 'version' ORDER BY id), '[]')::text AS rows FROM vms v`;
const rowsOf = async (database: TestDatabase): Promise<string> =>
  (await database.query<{ rows: string }>(ALL))[0]?.rows ?? '';
const PLAIN = { replace: false, dryRun: false };

t.test('restore', { skip }, async (t) => {
  const binDir = tools?.binDir ?? '';
  const { createDatabase } = await startServer(t, { binDir });
  const folder = await scratchFolder();
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const file = (name: string): string => join(folder, name);
  const dump = async ({ config }: TestDatabase, name: string, ...options: string[]) => {
    const { host, port, user, database } = config;
    const way = ['-h', String(host), '-p', String(port), '-U', String(user), String(database)];
    await execute(join(binDir, 'pg_dump'), [...way, '-f', file(name), ...options]);
    return file(name);
  };
  const filled = async (): Promise<TestDatabase> => {
    const database = await createDatabase();
    await database.query(
      `INSERT INTO vms (hostname, status, email, crd_command) VALUES
         ('a', 'available', NULL, NULL), ('b', 'in-use', 'x', E'tab\\t, line\\nand \\\\ \\r'),
         ('c', 'failed', NULL, repeat('é', 9000)), ('\\.', 'rebooting', '', E'\\\\.')`,
    );
    await database.query(`DELETE FROM vms WHERE hostname = 'a'`);
    return database;
  };

  t.test('an empty database gets rows, audit, sequences, and a working schema', async (t) => {
    const source = await filled();
    const path = await dump(source, 'own.sql');
    const target = await createDatabase({ migrate: false });
    const report = await restore({ connection: target.config, file: path, ...PLAIN });
    t.match(report, { vms: 3, kept: 0, added: 3, removed: 0, events: 5 });
    t.equal(await rowsOf(target), await rowsOf(source), 'assignments too');
    const next = await target.query<{ id: number; version: string }>(
      `INSERT INTO vms (hostname, status) VALUES ('next', 'available') RETURNING id, version`,
    );
    t.equal(next[0]?.id, 5, 'ids go on where those of the backup ended');
    t.ok(Number(next[0]?.version) > 8, 'and so do versions');
    const [events] = await target.query<{ count: string; ids: string }>(
      `SELECT count(*), count(DISTINCT id) AS ids FROM vm_events`,
    );
    t.same(events, { count: '9', ids: '9' }, 'the past, and the restore itself');
    const triggers = await target.query(
      `SELECT FROM pg_trigger WHERE tgrelid = 'vms'::regclass AND tgenabled IN ('A', 'R') AND NOT tgisinternal`,
    );
    t.ok(triggers.length >= 6, 'ALWAYS, or on replicas');
  });

  t.test('only rows that differ are touched', async (t) => {
    const database = await filled();
    const path = await dump(database, 'over.sql');
    await writeFile(file('over.sql.gz'), gzipSync(await readFile(path)));
    const before = await rowsOf(database);
    const [kept] = await database.query(`SELECT version FROM vms WHERE hostname = 'c'`);
    await database.query(`UPDATE vms SET email = 'y' WHERE hostname = 'b'`);
    await database.query(`DELETE FROM vms WHERE hostname = '\\.'`);
    await database.query(`INSERT INTO vms (hostname, status) VALUES ('young', 'available')`);
    const changed = await rowsOf(database);
    const options = { connection: database.config, file: file('over.sql.gz') };

    await t.rejects(restore({ ...options, ...PLAIN }), { code: 'refused', message: /--replace/ });
    t.equal(await rowsOf(database), changed);
    const expected = { vms: 3, kept: 1, added: 2, removed: 2, events: 0 };
    t.match(await restore({ ...options, replace: true, dryRun: true }), expected);
    t.equal(await rowsOf(database), changed, 'a dry run changes nothing');
    t.match(await restore({ ...options, replace: true, dryRun: false }), expected);
    t.equal(await rowsOf(database), before);
    t.same(await database.query(`SELECT version FROM vms WHERE hostname = 'c'`), [kept]);
    const [event] = await database.query(
      `SELECT actor FROM vm_events WHERE op = 'delete' AND hostname = 'young'`,
    );
    t.same(event, { actor: 'cli:restore' }, 'the audit says what it was');
    await restore({ ...options, replace: true, dryRun: false });
    t.match(await restore({ ...options, replace: true, dryRun: false }), { kept: 3, added: 0 });
  });

  t.test('the guide’s dump, without versions and assignments, is restored', async (t) => {
    const old = await createDatabase({ migrate: false });
    const session = await openSession(t, old.config);
    await createGuideDatabase(session);
    const rows = `SELECT json_agg(json_build_array(id, hostname, email, status, crd_command, created_at, updated_at)
      ORDER BY id)::text AS rows FROM vms`;
    const [before] = await old.query(rows);
    const path = await dump(old, 'guide.sql');
    const database = await filled();
    await restore({ connection: database.config, file: path, replace: true, dryRun: false });
    t.same(await database.query(rows), [before]);
    const [ours] = await database.query(
      `SELECT count(*) FILTER (WHERE assignment_id IS NULL)::int AS none FROM vms WHERE status = 'in-use'`,
    );
    t.same(ours, { none: 0 }, 'who is in use has an assignment');
    const [body] = await database.query<{ prosrc: string }>(
      `SELECT prosrc FROM pg_proc WHERE proname = 'notify_vm_changes'`,
    );
    t.match(body?.prosrc, 'public.notify_vm_row', 'the function is still ours');
    const assignments = `SELECT hostname, assignment_id FROM vms ORDER BY id`;
    const running = await database.query(assignments);
    await restore({ connection: database.config, file: path, replace: true, dryRun: false });
    t.same(await database.query(assignments), running, 'what runs is not started again');
  });

  t.test('files that are not complete backups change nothing', async (t) => {
    const database = await filled();
    const path = await dump(database, 'whole.sql');
    const text = await readFile(path, 'utf8');
    await database.query(`UPDATE vms SET status = 'failed'`);
    const before = await rowsOf(database);
    const bad: Record<string, [string | Buffer, RegExp]> = {
      'cut in the rows': [text.slice(0, text.indexOf('rebooting')), /cut off in the middle/],
      'cut after the rows': [text.slice(0, text.indexOf('SELECT pg_catalog.setval')), /cut off/],
      'an empty file': ['', /not a plain dump/],
      'another SQL file': ['CREATE TABLE vms ();\n'.repeat(9), /not a plain dump/],
      'an archive': [await readFile(await dump(database, 'archive', '-Fc')), /pg_restore/],
      'a dump of another table': [text.replaceAll('public.vms', 'public.machines'), /no table vms/],
      'with --inserts': [await readFile(await dump(database, 'i.sql', '--inserts')), /--inserts/],
      'with a column that is missing here': [
        text.replace('COPY public.vms (id, ', 'COPY public.vms (colour, '),
        /lacks: colour/,
      ],
      'with an invalid value': [text.replace(/^(\d+)\tb\t/m, 'x\tb\t'), /invalid input/],
      'compressed, and cut off': [
        gzipSync(text).subarray(0, 900),
        /gzip cannot read it to its end|cut off/,
      ],
    };
    for (const [name, [content, message]] of Object.entries(bad)) {
      await writeFile(file('bad.sql'), content);
      const options = { connection: database.config, file: file('bad.sql') };
      const restored = restore({ ...options, replace: true, dryRun: false });
      await t.rejects(restored, { message }, name);
      t.equal(await rowsOf(database), before, name);
    }
  });

  t.test('a foreign trigger that changes restored rows undoes the restore', async (t) => {
    const database = await filled();
    const path = await dump(database, 'before-trigger.sql');
    await database.query(`DELETE FROM vms WHERE hostname = 'b'`);
    await database.query(`
      CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN NEW.email := 'meddled'; RETURN NEW; END $$;
      CREATE TRIGGER meddle BEFORE INSERT ON vms FOR EACH ROW EXECUTE FUNCTION meddle();
      ALTER TABLE vms ENABLE ALWAYS TRIGGER meddle`);
    const before = await rowsOf(database);
    const options = { connection: database.config, file: path };
    const restored = restore({ ...options, replace: true, dryRun: false });
    await t.rejects(restored, { code: 'failed', message: /^1 rows would not be as in the backup/ });
    t.equal(await rowsOf(database), before);
  });

  t.test('no SQL of the file is run', async (t) => {
    const database = await filled();
    const path = await dump(database, 'evil.sql');
    const text = await readFile(path, 'utf8');
    const evil =
      "DROP TABLE public.vm_events;\n\\! touch /tmp/evil\nCOPY public.vm_deliveries FROM PROGRAM 'id';\n";
    await writeFile(
      path,
      text.replace('SELECT pg_catalog.setval', `${evil}SELECT pg_catalog.setval`),
    );
    await restore({ connection: database.config, file: path, replace: true, dryRun: false });
    t.same(await database.query(`SELECT to_regclass('vm_events') IS NOT NULL AS there`), [
      { there: true },
    ]);
  });

  t.test('a locked table is given up soon, so that no session waits for long', async (t) => {
    const database = await filled();
    const path = await dump(database, 'locked.sql');
    await database.query(`DELETE FROM vms WHERE hostname = 'b'`);
    const holder = await openSession(t, database.config);
    await holder.query('BEGIN; LOCK TABLE vms IN ROW EXCLUSIVE MODE');
    await t.rejects(
      restore({ connection: database.config, file: path, replace: true, dryRun: false }),
      { code: 'failed', message: /lock timeout/ },
    );
  });

  t.test('a role without the rights is refused', async (t) => {
    const database = await filled();
    const path = await dump(database, 'rights.sql');
    const admin = new pg.Client(database.adminConfig);
    await admin.connect();
    t.teardown(() => admin.end());
    await admin.query(
      `CREATE ROLE reader LOGIN; GRANT CONNECT, TEMPORARY ON DATABASE ${database.config.database} TO reader;
       GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader`,
    );
    const connection = { ...database.config, user: 'reader' };
    await t.rejects(restore({ connection, file: path, replace: true, dryRun: false }), {
      code: 'rights',
    });
  });

  t.test('100,000 VMs under a live gateway: every client ends at the restored state', async (t) => {
    const database = await createDatabase();
    const seed = `ALTER TABLE vms DISABLE TRIGGER USER;
      INSERT INTO vms (hostname, status, email, crd_command, assignment_id)
        SELECT 'vm-' || n, CASE WHEN n % 3 = 0 THEN 'in-use' ELSE 'available' END,
          CASE WHEN n % 3 = 0 THEN n || '@example.org' END, CASE WHEN n % 3 = 0 THEN 'run ' || n END,
          CASE WHEN n % 3 = 0 THEN gen_random_uuid() END FROM generate_series(1, 100000) n;`;
    const triggers = await database.query<{ name: string }>(
      `SELECT tgname AS name FROM pg_trigger WHERE tgrelid = 'vms'::regclass AND tgenabled = 'A'`,
    );
    const always = triggers.map(({ name }) => `ALTER TABLE vms ENABLE ALWAYS TRIGGER ${name};`);
    await database.query(seed + always.join(''));
    const path = await dump(database, 'large.sql');
    await database.query(`DELETE FROM vms WHERE id % 40 = 0`);
    await database.query(`UPDATE vms SET status = 'failed' WHERE id % 40 = 1`);
    await database.query(
      `INSERT INTO vms (hostname, status) SELECT 'new-' || n, 'available' FROM generate_series(1, 1000) n`,
    );
    const gateway = await startGateway(t, database);
    const stop = new AbortController();
    const client = createClient({
      url: gateway.url,
      token: await gateway.token('admin'),
      signal: stop.signal,
    });
    const fleet = client.watchFleet();
    t.teardown(() => stop.abort());
    await until('the dashboard has them all', () => fleet.state.size === 98_500);
    const agent = client.watchVm('vm-39');
    const seen: string[] = [];
    agent.on('update', (state) => seen.push(state.type));
    await until('the VM is known', () => seen.length > 0);

    const options = { connection: database.config, file: path, replace: true };
    const report = await restore({ ...options, dryRun: false });
    t.match(report, { vms: 100_000, kept: 95_000, added: 5_000, removed: 3_500 });

    const rows = await database.query<{ hostname: string; row: object }>(
      'SELECT hostname, to_jsonb(v) AS row FROM vms v',
    );
    const differing = (): number =>
      rows.filter(({ hostname, row }) => text(fleet.state.get(hostname)) !== text(row)).length;
    await until('the dashboard has what was restored', () => {
      return fleet.state.size === 100_000 && differing() === 0;
    });
    t.equal(fleet.state.has('new-1'), false, 'what was not in the backup is gone');
    t.notOk(seen.includes('absent'), 'nobody saw a VM vanish');

    // The backup itself, row by row, loaded by psql into its own database.
    const original = await createDatabase({ migrate: false });
    const { host, port, user, database: name } = original.config;
    const way = ['-h', String(host), '-p', String(port), '-U', String(user), String(name)];
    await execute(join(binDir, 'psql'), [...way, '-X', '-q', '-f', path]);
    const hashes = `SELECT count(*), sum(hashtextextended((to_jsonb(v) - 'version')::text, 0)::numeric) FROM vms v`;
    t.same(await database.query(hashes), await original.query(hashes), 'row by row, in the table');
  });
});

/** Formats a row independently of the order of its columns. */
const text = (row: object | undefined): string => JSON.stringify(Object.entries(row ?? {}).sort());
