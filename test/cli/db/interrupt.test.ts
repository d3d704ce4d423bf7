// Commands that are ended in the middle, by Ctrl-C, by their supervisor or by the kernel: nothing
// is half done, no lock stays, and the next run removes or names what is left.

import { existsSync } from 'node:fs';
import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import t from 'tap';
import { withLibpqEnvironment } from '../../../src/postgres/admin/libpq.js';
import { installedBinDirs, startServer, type TestDatabase } from '../../helpers/database.js';
import { runDbOn as db, formatUrl } from '../../helpers/db-command.js';
import { runCommand, temporaryFolder, type Program } from '../../helpers/process.js';
import { until } from '../../helpers/until.js';

const tools = installedBinDirs().find(({ binDir }) => existsSync(join(binDir, 'pg_dump')));
const skip = tools === undefined && 'there is no pg_dump';
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGKILL'] as const;

/** Much longer than a test may take. */
const SLEEP = 'PERFORM pg_sleep(3600)';

t.test('interrupts', { skip }, async (t) => {
  const { createDatabase } = await startServer(t, { binDir: tools?.binDir ?? '' });
  const start = (database: TestDatabase, args: readonly string[]): Program =>
    runCommand(t, ['db', ...args], { DATABASE_URL: formatUrl(database) });
  const admin = new pg.Pool({ ...(await createDatabase()).adminConfig, max: 1 });
  admin.on('error', () => undefined); // The server may end first.
  t.teardown(() => admin.end());
  const count = async (condition: string, database: unknown): Promise<number> => {
    const { rowCount } = await admin.query(
      `SELECT FROM pg_stat_activity WHERE datname = $1 AND ${condition}`,
      [database],
    );
    return rowCount ?? 0;
  };
  const filled = async (): Promise<TestDatabase> => {
    const database = await createDatabase();
    await database.query(`INSERT INTO vms (hostname, status) VALUES ('a', 'x'), ('b', 'x')`);
    return database;
  };

  for (const signal of SIGNALS) {
    t.test(`${signal} in a restore that holds its lock`, async (t) => {
      const database = await filled();
      const folder = await temporaryFolder(t);
      await db(database, ['backup', '--dir', folder]);
      const [name = ''] = await readdir(folder);
      await database.query(`UPDATE vms SET status = 'y';
        CREATE FUNCTION sleep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${SLEEP}; RETURN NEW; END $$;
        CREATE TRIGGER sleep BEFORE UPDATE ON vms FOR EACH ROW EXECUTE FUNCTION sleep()`);
      const restore = start(database, ['restore', join(folder, name), '--replace']);
      const sessions = `application_name LIKE '%db restore'`;
      await until(
        'it sleeps',
        async () =>
          (await count(`${sessions} AND wait_event = 'PgSleep'`, database.config.database)) > 0,
      );
      restore.child.kill(signal);
      const { code } = await restore.exited;
      if (signal !== 'SIGKILL') {
        t.equal(code, 1);
        t.match(restore.stderr, /^Interrupted: the work under way was undone\.\n$/);
      }
      await until(
        'the lock is gone',
        async () => (await count(sessions, database.config.database)) === 0,
      );
      t.same(await database.query(`SELECT status, count(*)::int AS n FROM vms GROUP BY 1`), [
        { status: 'y', n: 2 },
      ]);
    });
  }

  for (const signal of SIGNALS) {
    t.test(`${signal} in a backup that is being verified`, async (t) => {
      const database = await filled();
      // The copy checks its rows, and this takes long.
      await database.query(`CREATE FUNCTION passes(int) RETURNS boolean LANGUAGE plpgsql AS
          $$ BEGIN IF current_database() ~ 'scratch' THEN ${SLEEP}; END IF; RETURN true; END $$;
        CREATE TABLE checked (a int CHECK (passes(a))); INSERT INTO checked VALUES (1)`);
      const scratches = async (): Promise<string[]> =>
        (
          await admin.query<{ name: string }>(
            `SELECT datname AS name FROM pg_database WHERE datname LIKE 'lablink_scratch%' ORDER BY 1`,
          )
        ).rows.map(({ name }) => name);
      const folder = await temporaryFolder(t);
      const before = await scratches();
      const backup = start(database, ['backup', '--dir', folder, '--verify']);
      const [scratch = ''] = await until('the copy sleeps', async () => {
        const made = (await scratches()).filter((name) => !before.includes(name));
        return (await count(`wait_event = 'PgSleep'`, made[0])) > 0 && made;
      });
      backup.child.kill(signal);
      const { code } = await backup.exited;
      if (signal !== 'SIGKILL') {
        t.equal(code, 1);
        t.match(backup.stderr, /^Interrupted/);
        t.same(await scratches(), before, 'it removed its copy');
        t.same(await readdir(folder), []);
        return;
      }
      t.ok((await scratches()).includes(scratch), 'the copy is left');
      await database.query('ALTER TABLE checked DROP CONSTRAINT checked_a_check');
      const others = 'lablink_scratch_1_1_0123456789ab';
      await admin.query(`CREATE DATABASE ${others} OWNER lablink`);
      // Its unfinished file has the name of a second that must be over: a backup that is refused
      // for the name would remove the copy, and report nothing.
      await sleep(1_100);
      const refusals: string[] = [];
      const swept = await until('the killed one has let go', async () => {
        const backup = await db(database, ['backup', '--dir', folder, '--json']);
        if (backup.code === 0) return (JSON.parse(backup.stdout) as { swept: string[] }).swept;
        refusals.push(backup.stderr);
        t.comment(backup.stderr);
        return false;
      });
      // A backup that is refused may have removed it first, and prints no report.
      if (refusals.length === 0)
        t.same(swept, [scratch], 'the next backup removes it, and says so');
      t.same(await scratches(), [...before, others], 'and no copy of another database');
      await admin.query(`DROP DATABASE ${others}`);
    });
  }

  t.test('a move that is killed leaves nothing there, or everything', async (t) => {
    const source = await filled();
    // This is more than fits into a pipe, and every part of a text is a text. Its table is first.
    await source.query(`CREATE TABLE aaa (a text);
      INSERT INTO aaa SELECT repeat(md5(n::text), 30000) FROM generate_series(1, 60) n`);
    const target = await createDatabase({ migrate: false });
    const move = start(source, ['move', '--to', formatUrl(target)]);
    const sessions = `application_name = 'lablink-gateway db'`;
    await until(
      'rows arrive there',
      async () => (await count(`${sessions} AND query LIKE 'COPY%'`, target.config.database)) > 0,
    );
    move.child.kill('SIGKILL');
    await move.exited;
    await until(
      'psql has ended',
      async () => (await count(sessions, target.config.database)) === 0,
    );
    const [found] = await target.query(
      `SELECT to_regclass('aaa') IS NOT NULL AS tables,
         EXISTS (SELECT FROM pg_trigger WHERE tgname = 'vm_update_trigger') AS triggers`,
    );
    t.equal(found?.tables, found?.triggers, 'tables come first in a dump, and triggers last');
  });

  t.test('a folder that can never exist is refused', async (t) => {
    const backup = start(await filled(), ['backup', '--dir', '/proc/x/y']);
    t.match(await backup.exited, { code: 2 });
    t.match(backup.stderr, /^\/proc\/x\/y\/.* cannot be written: ENOENT/);
  });

  t.test('unfinished files of killed backups go with the next backup', async (t) => {
    const database = await filled();
    const folder = await temporaryFolder(t);
    const name = String(database.config.database);
    const left = `${name}_20260101T000000Z.sql.partial`;
    const others = 'other_20260101T000000Z.sql.partial';
    for (const file of [left, others]) await writeFile(join(folder, file), '');
    const { stdout } = await db(database, ['backup', '--dir', folder]);
    t.match(stdout, `Removed, left by killed backups: ${left}`);
    t.ok((await readdir(folder)).includes(others));
  });

  t.test('keys of killed processes go from the temporary folder', async (t) => {
    const left = join(tmpdir(), 'lablink-libpq-999999999-left');
    await mkdir(left, { recursive: true });
    const old = new Date(Date.now() - 7_200_000);
    await utimes(left, old, old);
    await withLibpqEnvironment({}, {}, async () => undefined);
    t.notOk(existsSync(left));
  });
});
