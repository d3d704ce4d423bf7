// Tables of others: whatever hangs on vms, a restore and a clear change none of their rows, a dry
// run says the same as the real run, and a move leaves the source as it is.

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { removeAllVms } from '../../../src/postgres/admin/clear.js';
import { moveDatabase } from '../../../src/postgres/admin/move.js';
import { restore } from '../../../src/postgres/admin/restore.js';
import { withSession } from '../../../src/postgres/admin/session.js';
import { installedBinDirs, startServer, type TestDatabase } from '../../helpers/database.js';
import { scratchFolder } from '../../helpers/scratch-folder.js';

const tools = installedBinDirs().find(({ binDir }) => existsSync(join(binDir, 'pg_dump')));
const skip = tools === undefined && 'there is no pg_dump';

/** A table of others with a row for each VM, and a foreign key to vms. */
const bookings = (key: string): string =>
  `CREATE TABLE bookings (id serial PRIMARY KEY, vm_id int DEFAULT 1 REFERENCES vms (id) ${key});
   INSERT INTO bookings (vm_id) SELECT id FROM vms;`;

/** A table of others that `work` on vms writes, without a foreign key. */
const LOG = `CREATE TABLE bookings (id serial PRIMARY KEY, vm_id int);
   INSERT INTO bookings (vm_id) SELECT id FROM vms;`;

const TRIGGER_FUNCTION = (body: string): string =>
  `${LOG} CREATE FUNCTION others() RETURNS trigger LANGUAGE plpgsql AS
     $$ BEGIN ${body}; RETURN NULL; END $$;`;

/** The objects that hang on vms, and whether a restore that deletes a VM is refused. */
const WORLDS: Record<string, { sql: string; restore: RegExp | undefined; clear: RegExp }> = {
  'ON DELETE CASCADE': {
    sql: bookings('ON DELETE CASCADE'),
    restore: /delete 1 row of public\.bookings/,
    clear: /cannot truncate/,
  },
  'ON DELETE SET NULL': {
    sql: bookings('ON DELETE SET NULL'),
    restore: /change 1 row of public\.bookings/,
    clear: /cannot truncate/,
  },
  'ON DELETE SET DEFAULT': {
    sql: bookings('ON DELETE SET DEFAULT'),
    restore: /change 1 row of public\.bookings/,
    clear: /cannot truncate/,
  },
  'a deferred key': {
    sql: bookings('DEFERRABLE INITIALLY DEFERRED'),
    restore: /foreign key/,
    clear: /cannot truncate/,
  },
  'a deferred CASCADE': {
    sql: bookings('ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED'),
    restore: /delete 1 row of public\.bookings/,
    clear: /cannot truncate/,
  },
  triggers: {
    sql: `${TRIGGER_FUNCTION('DELETE FROM bookings')}
      CREATE TRIGGER others AFTER DELETE ON vms FOR EACH ROW EXECUTE FUNCTION others();
      CREATE TRIGGER cleared AFTER TRUNCATE ON vms EXECUTE FUNCTION others()`,
    restore: /delete 4 rows of public\.bookings/,
    clear: /delete 4 rows of public\.bookings/,
  },
  'a deferred trigger': {
    sql: `${TRIGGER_FUNCTION('INSERT INTO bookings (vm_id) VALUES (7)')}
      CREATE CONSTRAINT TRIGGER others AFTER DELETE ON vms DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION others();
      CREATE TRIGGER cleared AFTER TRUNCATE ON vms EXECUTE FUNCTION others()`,
    restore: /add 1 row to public\.bookings/,
    clear: /add 1 row to public\.bookings/,
  },
  'a trigger that truncates': {
    sql: `${TRIGGER_FUNCTION('TRUNCATE bookings')}
      CREATE TRIGGER others AFTER DELETE ON vms FOR EACH ROW EXECUTE FUNCTION others();
      CREATE TRIGGER cleared AFTER TRUNCATE ON vms EXECUTE FUNCTION others()`,
    restore: /truncate, alter or write public\.bookings/,
    clear: /truncate, alter or write public\.bookings/,
  },
  'a rule': {
    sql: `${LOG} CREATE RULE others AS ON DELETE TO vms DO ALSO DELETE FROM bookings`,
    restore: /delete 4 rows of public\.bookings/,
    clear: /^$/,
  },
  'an inheritance child': {
    sql: `CREATE TABLE bookings () INHERITS (vms);
      INSERT INTO bookings (hostname, status) VALUES ('theirs', 'available')`,
    restore: undefined,
    clear: /^$/,
  },
  'a partitioned table with a key': {
    sql: `CREATE TABLE bookings (vm_id int REFERENCES vms (id) ON DELETE CASCADE) PARTITION BY RANGE (vm_id);
      CREATE TABLE bookings_all PARTITION OF bookings DEFAULT;
      INSERT INTO bookings (vm_id) SELECT id FROM vms`,
    restore: /delete 1 row of public\.bookings_all/,
    clear: /cannot truncate/,
  },
};

const read = async (database: TestDatabase, sql: string): Promise<unknown> =>
  (await database.query<{ rows: unknown }>(`SELECT json_agg(x ORDER BY x::text) AS rows ${sql}`))[0]
    ?.rows;
const readOthers = (database: TestDatabase) => read(database, 'FROM bookings x');
const readVms = (database: TestDatabase) => read(database, 'FROM ONLY vms x');

t.test('tables of others', { skip }, async (t) => {
  const binDir = tools?.binDir ?? '';
  const { createDatabase } = await startServer(t, { binDir });
  const folder = await scratchFolder();
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const dump = async ({ config }: TestDatabase): Promise<string> => {
    const { host, port, user, database } = config;
    const file = join(folder, `${database}.sql`);
    const way = ['-h', String(host), '-p', String(port), '-U', String(user), String(database)];
    await promisify(execFile)(join(binDir, 'pg_dump'), [...way, '-f', file]);
    return file;
  };
  const fill = async (): Promise<TestDatabase> => {
    const database = await createDatabase();
    await database.query(
      `INSERT INTO vms (hostname, status, email) VALUES ('a', 'available', NULL),
         ('b', 'in-use', 'x'), ('c', 'failed', 'y')`,
    );
    return database;
  };

  for (const [name, world] of Object.entries(WORLDS)) {
    t.test(name, async (t) => {
      const database = await fill();
      const file = await dump(database);
      await database.query(`INSERT INTO vms (hostname, status) VALUES ('new', 'available')`);
      await database.query(world.sql);
      const others = await readOthers(database);
      const vms = await readVms(database);
      for (const dryRun of [true, false]) {
        const done = restore({ connection: database.config, file, replace: true, dryRun });
        if (world.restore === undefined) t.match(await done, { vms: 3, removed: 1 });
        else {
          await t.rejects(done, { message: world.restore });
          t.same(await readVms(database), vms, 'a refusal changes nothing');
        }
        t.same(await readOthers(database), others);
      }
      for (const dryRun of [true, false]) {
        const expected = world.restore === undefined ? 3 : 4;
        const done = withSession(database.config, 'clear', (session) =>
          removeAllVms(session, { expected, dryRun }),
        );
        if (world.clear.source === '^$') t.equal(await done, expected);
        else await t.rejects(done, { message: world.clear });
        t.same(await readOthers(database), others);
      }
    });
  }

  t.test('a restore keeps the keys of rows that it changes', async (t) => {
    const database = await fill();
    const file = await dump(database);
    const vms = await read(database, `FROM (SELECT to_jsonb(v) - 'version' FROM vms v) x`);
    await database.query(bookings('ON DELETE CASCADE ON UPDATE CASCADE'));
    const others = await readOthers(database);
    await database.query(`UPDATE vms SET status = 'in-use', email = 'z'`);
    await database.query(`UPDATE vms SET hostname = 'tmp' WHERE id = 1`);
    await database.query(`UPDATE vms SET hostname = 'a' WHERE id = 2`);
    await database.query(`UPDATE vms SET hostname = 'b' WHERE id = 1`);
    const [before] = await database.query<{ most: string }>('SELECT max(version) AS most FROM vms');
    const options = { connection: database.config, file, replace: true };
    t.match(await restore({ ...options, dryRun: true }), { added: 3, removed: 3 });
    t.match(await restore({ ...options, dryRun: false }), { added: 3, removed: 3 });
    t.same(await readOthers(database), others, 'every booking is there');
    const after = await read(database, `FROM (SELECT to_jsonb(v) - 'version' FROM vms v) x`);
    t.same(after, vms, 'hostnames that were exchanged, assignments and times too');
    const [least] = await database.query<{ least: string }>(
      'SELECT min(version) AS least FROM vms',
    );
    t.ok(Number(least?.least) > Number(before?.most), 'with versions above all earlier ones');
    const state = `SELECT tgenabled AS state FROM pg_trigger WHERE tgname = 'vm_stamp_trigger'`;
    t.same(await database.query(state), [{ state: 'A' }], 'the trigger is on again');
  });

  t.test('ids that are GENERATED ALWAYS', async (t) => {
    const database = await fill();
    await database.query(`ALTER TABLE vms ALTER id DROP DEFAULT;
      DROP SEQUENCE vms_id_seq; ALTER TABLE vms ALTER id ADD GENERATED ALWAYS AS IDENTITY`);
    const file = await dump(database);
    await database.query(`DELETE FROM vms WHERE hostname = 'b'`);
    await database.query(`UPDATE vms SET status = 'failed' WHERE hostname = 'a'`);
    const report = await restore({
      connection: database.config,
      file,
      replace: true,
      dryRun: false,
    });
    t.match(report, { vms: 3, added: 2 });
  });

  t.test('a move leaves them as they are, and copies them', async (t) => {
    const database = await fill();
    await database.query(bookings('ON DELETE CASCADE'));
    const others = await readOthers(database);
    const target = await createDatabase({ migrate: false });
    const connections = { connection: database.config, target: target.config };
    const environment = { PATH: `${binDir}:${process.env.PATH ?? ''}` };
    const { signal } = new AbortController();
    await moveDatabase({ ...connections, environment, dryRun: false, signal });
    t.same(await readOthers(database), others);
    t.same(await readOthers(target), others);
    const again = moveDatabase({ ...connections, environment, dryRun: false, signal });
    await t.rejects(again, { code: 'refused' });
    t.same(await readOthers(target), others);
  });
});
