// Where migrations may start: a table with rows and triggers of others, in use while they run.

import { readdir, readFile } from 'node:fs/promises';
import { migrate } from '../../src/postgres/migrations/migrate.js';
import { createGuideDatabase } from './guide.js';
import { listen, read, row } from './listening.js';
import { onEveryServer } from './servers.js';
import { openSession, type Session } from './session.js';

/** Every row without what migrations add. */
const OLD_COLUMNS = `
  SELECT json_agg(to_jsonb(v) - 'version' - 'assignment_id' ORDER BY id)::text FROM public.vms v`;

/** Triggers that others have put on the table, one of each state; each would leave a trace. */
const OTHER_TRIGGERS = `
  CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN NEW.updated_at := now(); NEW.touched := NEW.touched + 1; RETURN NEW; END $$;
  ALTER TABLE vms ADD COLUMN touched int DEFAULT 0;
  CREATE TRIGGER a_touch BEFORE UPDATE ON vms FOR EACH ROW EXECUTE FUNCTION touch();
  CREATE TRIGGER b_touch BEFORE UPDATE ON vms FOR EACH ROW EXECUTE FUNCTION touch();
  CREATE TRIGGER c_touch BEFORE UPDATE ON vms FOR EACH ROW EXECUTE FUNCTION touch();
  CREATE TRIGGER "d ""touch" BEFORE UPDATE ON vms FOR EACH ROW EXECUTE FUNCTION touch();
  ALTER TABLE vms ENABLE ALWAYS TRIGGER b_touch;
  ALTER TABLE vms ENABLE REPLICA TRIGGER c_touch;
  ALTER TABLE vms DISABLE TRIGGER "d ""touch"`;

const TRIGGER_STATES = `
  SELECT string_agg(concat_ws(' ', tgname, tgenabled), ', ' ORDER BY tgname) FROM pg_trigger
  WHERE tgrelid = 'vms'::regclass AND tgname LIKE '%touch'`;

const STAMPED = `
  SELECT string_agg(concat_ws(' ', hostname, (version > 0)::text, assignment_id IS NOT NULL), ', '
    ORDER BY id) FROM vms`;

onEveryServer(async (t, { createDatabase, majorVersion }) => {
  t.test('rows get versions and assignments, and stay as they are', async (t) => {
    const { config } = await createDatabase({ migrate: false });
    const session = await openSession(t, config);
    await createGuideDatabase(session);
    await session.query(OTHER_TRIGGERS);
    const rows = await session.value(OLD_COLUMNS);
    const states = await session.value(TRIGGER_STATES);
    const { take } = await listen(t, config);

    await migrate(config, { mode: 'apply' });

    t.same(await take(), [], 'nobody is told');
    t.equal(await session.value(OLD_COLUMNS), rows);
    t.equal(await session.value(TRIGGER_STATES), states);
    t.equal(
      await session.value(STAMPED),
      'i-available true f, i-0abc123def456 true t, i-in-use-too true t, i-failed true f, i-rebooting true f',
    );
    t.equal(await session.value('SELECT count(DISTINCT version) FROM vms'), '5');

    await session.query(`UPDATE vms SET status = 'available' WHERE hostname = 'i-failed'`);
    const now = `SELECT row_to_json(vms)::text FROM vms WHERE hostname = 'i-failed'`;
    t.same(await take(), [row((await session.value(now)) ?? '')], 'told once, by the new trigger');
    await session.query(`DELETE FROM vms WHERE hostname = 'i-failed'`);
    t.same(await take(), [read('i-failed')]);
  });

  t.test('a row that changes between two migrations is not forgotten', async (t) => {
    const { config } = await createDatabase({ migrate: false });
    const session = await openSession(t, config);
    await createGuideDatabase(session);
    const folder = new URL('../../schema/', import.meta.url);
    const names = (await readdir(folder)).filter((name) => /^\d.*\.sql$/.test(name)).sort();
    const files: Record<string, string> = {};
    for (const name of names) {
      files[name] = await readFile(new URL(name, folder), 'utf8');
      const sofar = t.testdir(files);
      await migrate(config, { mode: 'apply', folder: sofar });
      await session.query(`INSERT INTO vms (hostname, status) VALUES ($1, 'in-use')`, [name]);
    }
    const unstamped = `SELECT hostname FROM vms WHERE version IS NULL
      OR status = 'in-use' AND assignment_id IS NULL`;
    t.same(await session.query(unstamped), []);
  });

  t.test('a database migrated before keeps its versions and assignments', async (t) => {
    const { config } = await createDatabase();
    const session = await openSession(t, config);
    await session.query(`INSERT INTO vms (hostname, status) VALUES ('a', 'in-use'), ('b', 'x')`);
    const rows = 'SELECT json_agg(vms ORDER BY id)::text FROM vms';
    const before = await session.value(rows);
    t.same((await migrate(config, { mode: 'apply' })).applied, []);
    t.equal(await session.value(rows), before);

    await session.query('DROP TABLE lablink_migrations');
    const { take } = await listen(t, config);
    t.not((await migrate(config, { mode: 'apply' })).applied.length, 0);
    t.equal(await session.value(rows), before, 'its record lost, nothing is done twice');
    t.same(await take(), []);
  });

  t.test('a sequence behind the rows moves up to them', async (t) => {
    const { config } = await createDatabase({ migrate: false });
    const session = await openSession(t, config);
    await createGuideDatabase(session);
    await session.query('ALTER TABLE vms ADD COLUMN version bigint, ADD COLUMN assignment_id uuid');
    await session.query(`UPDATE vms SET version = 500 WHERE id = 1`);
    await session.query(`UPDATE vms SET version = 9223372036854775807 WHERE id = 4`);
    await migrate(config, { mode: 'apply' });
    t.equal(await session.value('SELECT min(version) FROM vms WHERE id NOT IN (1, 4)'), '501');
    t.equal(await session.value('SELECT last_value FROM vms_version_seq'), '503');
  });

  t.test('a column of the same name with another meaning is refused, and kept', async (t) => {
    const { config } = await createDatabase({ migrate: false });
    const session = await openSession(t, config);
    await createGuideDatabase(session);
    await session.query(`ALTER TABLE vms ADD COLUMN version text DEFAULT 'v1.2'`);
    await t.rejects(migrate(config, { mode: 'apply' }), {
      code: 'schema_failed',
      message: /000002_version_columns\.sql.*vms\.version is text.*Rename the existing column/,
    });
    t.equal(await session.value('SELECT version FROM vms LIMIT 1'), 'v1.2');
    t.equal(await session.value(`SELECT to_regclass('vms_version_seq')`), null);
    await session.query('ALTER TABLE vms RENAME COLUMN version TO image_version');
    await migrate(config, { mode: 'apply' });
  });

  t.test('what a superuser migrates belongs to the owner of the table', async (t) => {
    const database = await createDatabase({ migrate: false });
    const owner = await openSession(t, database.config);
    const admin = await openSession(t, database.adminConfig);
    await createGuideDatabase(owner);
    const legacy = `legacy_${majorVersion}`;
    await admin.query(`CREATE ROLE ${legacy}; GRANT CREATE ON SCHEMA public TO ${legacy};
      ALTER FUNCTION notify_vm_changes() OWNER TO ${legacy}`);

    await migrate(database.adminConfig, { mode: 'apply' });

    t.same(await foreignObjects(admin, owner), []);
    t.same((await migrate(database.config, { mode: 'check' })).applied, []);
    await owner.query(`UPDATE vms SET status = 'in-use' WHERE id = 1`);
    await owner.query(
      `UPDATE vm_deliveries SET acknowledged_at = now()
       WHERE assignment_id = (SELECT assignment_id FROM vms WHERE id = 1)`,
    );
  });

  t.test('a function of another owner, met by the owner of the table', async (t) => {
    const database = await createDatabase({ migrate: false });
    const owner = await openSession(t, database.config);
    const admin = await openSession(t, database.adminConfig);
    await createGuideDatabase(owner);
    await admin.query(`ALTER FUNCTION notify_vm_changes() OWNER TO CURRENT_USER`);
    const rejected = { code: 'schema_rights', message: /must be owner of function.*db migrate/ };
    await t.rejects(migrate(database.config, { mode: 'apply' }), rejected);
    await owner.query(`UPDATE vms SET status = 'in-use', email = 'x' WHERE id = 1`);
    await migrate(database.adminConfig, { mode: 'apply' });
    t.same(await foreignObjects(admin, owner), []);
  });

  t.test('a role that may not give things away keeps them, and all works', async (t) => {
    const database = await createDatabase({ migrate: false });
    const owner = await openSession(t, database.config);
    const admin = await openSession(t, database.adminConfig);
    await createGuideDatabase(owner);
    const group = `owners_${majorVersion}`;
    await admin.query(`
      CREATE ROLE ${group}; GRANT ${group} TO ${database.config.user};
      REVOKE CREATE ON SCHEMA public FROM PUBLIC; ALTER SCHEMA public OWNER TO ${group};
      ALTER TABLE vms OWNER TO ${group}; ALTER SCHEMA public OWNER TO CURRENT_USER;
      GRANT CREATE ON SCHEMA public TO ${database.config.user}`);
    await migrate(database.config, { mode: 'apply' });
    const { take } = await listen(t, database.config);
    await owner.query(`UPDATE vms SET status = 'in-use', email = 'x' WHERE id = 1`);
    t.equal((await take()).length, 1);
  });

  t.test('writers go on while migrations run', async (t) => {
    const { config } = await createDatabase({ migrate: false });
    const session = await openSession(t, config);
    await createGuideDatabase(session);
    const writer = await openSession(t, config);
    const migration = { done: false };
    const writing = (async () => {
      let writes = 0;
      for (; !migration.done || writes < 50; writes++) {
        await writer.query(`UPDATE vms SET email = $1 WHERE status = 'in-use'`, [String(writes)]);
        await writer.query(`INSERT INTO vms (hostname, status) VALUES ($1, 'x')`, [
          `new-${writes}`,
        ]);
      }
      return writes;
    })();
    await migrate(config, { mode: 'apply' });
    migration.done = true;
    t.ok(await writing, 'no write failed');
    t.equal(await session.value('SELECT count(*) FROM vms WHERE version IS NULL'), '0');
    t.equal(
      await session.value(`SELECT count(*) FROM vms
        WHERE status = 'in-use' AND assignment_id IS NULL`),
      '0',
    );
  });
});

/** The objects in the schema public that do not belong to the owner's role. */
async function foreignObjects(admin: Session, owner: Session): Promise<string[]> {
  const rows = await admin.query<{ name: string }>(
    `SELECT relname AS name FROM pg_class
     WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'S') AND relowner <> $1::regrole
     UNION ALL
     SELECT proname FROM pg_proc
     WHERE pronamespace = 'public'::regnamespace AND proowner <> $1::regrole`,
    [await owner.value('SELECT current_user')],
  );
  return rows.map(({ name }) => name);
}
