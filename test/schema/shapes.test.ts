// Whatever becomes of the table and of the objects around it: a write goes on, and what can still
// be sent is sent.

import { listen, READ_ALL } from './listening.js';
import { onEveryServer } from './servers.js';
import { openSession, type Session } from './session.js';

/** Changes by others to the table, or to objects of ours; run by the superuser. */
const SHAPES: Readonly<Record<string, string>> = {
  'email renamed': 'ALTER TABLE vms RENAME email TO person',
  'email dropped': 'ALTER TABLE vms DROP COLUMN email',
  'crd_command renamed': 'ALTER TABLE vms RENAME crd_command TO command',
  'updated_at dropped': 'ALTER TABLE vms DROP COLUMN updated_at',
  'updated_at is text': 'ALTER TABLE vms ALTER updated_at DROP DEFAULT, ALTER updated_at TYPE text',
  'updated_at is a date': 'ALTER TABLE vms ALTER updated_at TYPE date',
  'version dropped': 'ALTER TABLE vms DROP COLUMN version',
  'version is text': 'ALTER TABLE vms ALTER version DROP DEFAULT, ALTER version TYPE text',
  'version is smallint': 'ALTER TABLE vms ALTER version TYPE smallint',
  'assignment_id dropped': 'ALTER TABLE vms DROP COLUMN assignment_id',
  'assignment_id is text': 'ALTER TABLE vms ALTER assignment_id TYPE text',
  'status is an enum': `CREATE TYPE state AS ENUM ('available', 'in-use');
    ALTER TABLE vms ALTER status TYPE state USING status::state`,
  'crd_command is json': 'ALTER TABLE vms ALTER crd_command TYPE json USING to_json(crd_command)',
  'email is a domain': `CREATE DOMAIN mail AS text CHECK (VALUE <> '');
    ALTER TABLE vms ALTER email TYPE mail`,
  'email is integer': `ALTER TABLE vms ALTER email TYPE int USING NULL`,
  'id dropped': 'ALTER TABLE vms DROP COLUMN id',
  'id is uuid': `ALTER TABLE vms ALTER id DROP DEFAULT, ALTER id TYPE uuid USING gen_random_uuid(),
    ALTER id SET DEFAULT gen_random_uuid()`,
  'id is an identity': `ALTER TABLE vms ALTER id DROP DEFAULT,
    ALTER id ADD GENERATED ALWAYS AS IDENTITY (START 100)`,
  'a composite type that is altered': `CREATE TYPE pair AS (a int, b int);
    ALTER TABLE vms ADD COLUMN extra pair DEFAULT '(1,2)'; ALTER TYPE pair ADD ATTRIBUTE c int`,
  'a deferred key': `ALTER TABLE vms DROP CONSTRAINT vms_pkey,
    ADD CONSTRAINT vms_pkey PRIMARY KEY (id) DEFERRABLE INITIALLY DEFERRED`,
  'the sequence dropped': 'DROP SEQUENCE vms_version_seq CASCADE',
  'the audit dropped': 'DROP TABLE vm_events',
  'the audit renamed': 'ALTER TABLE vm_events RENAME TO vm_events_old',
  'the audit refuses': 'ALTER TABLE vm_events ADD CHECK (false) NOT VALID',
  'the audit refuses one': `ALTER TABLE vm_events ADD CHECK (hostname <> 'vm-2') NOT VALID`,
  'a trigger of the audit raises': `CREATE FUNCTION raise() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN RAISE EXCEPTION ''no''; END';
    CREATE TRIGGER raise BEFORE INSERT ON vm_events FOR EACH ROW EXECUTE FUNCTION raise()`,
  'the deliveries dropped': 'DROP TABLE vm_deliveries CASCADE',
  'the deliveries refuse': `ALTER TABLE vm_deliveries ADD CHECK (hostname = '') NOT VALID`,
  'helper functions dropped': `DROP FUNCTION record_vm_row(text, record, record),
    notify_vm_row(text, record, record), vm_stamp(text, record, record), notify_vm_read(text)`,
  'helper functions and a column dropped': `DROP FUNCTION record_vm_row(text, record, record),
    notify_vm_row(text, record, record), vm_stamp(text, record, record), notify_vm_read(text);
    ALTER TABLE vms RENAME crd_command TO command`,
};

const INSERT = `INSERT INTO vms (hostname, status)
  SELECT 'vm-' || n, 'available' FROM generate_series(1, 3) n`;

/** Writes in each way; returns what each statement sent. */
async function writeEach(session: Session, take: () => Promise<unknown[]>): Promise<string[]> {
  const sent: string[] = [];
  for (const sql of [
    `UPDATE vms SET status = 'in-use' WHERE hostname = 'vm-1'`,
    `UPDATE vms SET status = 'in-use'`,
    `UPDATE vms SET hostname = hostname || 'x'`,
    `DELETE FROM vms WHERE hostname = 'vm-1x'`,
    `DELETE FROM vms`,
  ]) {
    await session.query(sql);
    sent.push(JSON.stringify(await take()));
  }
  return sent;
}

onEveryServer(async (t, { createDatabase }) => {
  for (const [name, sql] of Object.entries(SHAPES)) {
    t.test(name, async (t) => {
      const database = await createDatabase();
      const admin = await openSession(t, database.adminConfig);
      const early = await openSession(t, database.config);
      await early.query(
        INSERT.replace("'available'", "CASE WHEN n = 2 THEN 'in-use' ELSE 'available' END"),
      );
      await early.query(`UPDATE vms SET status = 'available'`);
      const { take } = await listen(t, database.config);
      await admin.query(sql);
      // A session that planned its triggers before, and one that did not.
      for (const session of [early, await openSession(t, database.config)]) {
        const sent = await writeEach(session, take);
        t.ok(
          sent.every((heard) => heard !== '[]'),
          'every change is heard',
        );
        t.equal(await admin.value('SELECT count(*) FROM vms'), '0');
        await session.query(INSERT);
        t.not((await take()).length, 0);
      }
    });
  }

  t.test('a row of an audit that refuses one is all that it lacks', async (t) => {
    const session = await openSession(t, (await createDatabase()).config);
    await session.query(`ALTER TABLE vm_events ADD CHECK (hostname <> 'vm-2')`);
    await session.query(INSERT);
    t.equal(
      await session.value(`SELECT string_agg(hostname, ' ' ORDER BY id) FROM vm_events`),
      'vm-1 vm-3',
    );
  });

  t.test('a deletion of many rows is one notification', async (t) => {
    const { config } = await createDatabase();
    const session = await openSession(t, config);
    const { take } = await listen(t, config);
    for (const count of [100, 101]) {
      await session.query(
        `INSERT INTO vms (hostname, status) SELECT n, 'x' FROM generate_series(1, ${count}) n`,
      );
      await take();
      await session.query('DELETE FROM vms');
      const heard = await take();
      if (count === 100) t.equal(heard.length, 100);
      else t.same(heard, [READ_ALL]);
    }
  });

  t.test(
    'primary keys that swap, and a row that is changed again in its own statement',
    async (t) => {
      const { config } = await createDatabase();
      const session = await openSession(t, config);
      await session.query(`
      ALTER TABLE vms DROP CONSTRAINT vms_pkey, ADD PRIMARY KEY (id) DEFERRABLE INITIALLY DEFERRED`);
      await session.query(INSERT);
      await session.query(`UPDATE vms SET id = 4 - id, email = hostname`);
      t.equal(
        await session.value(
          `SELECT bool_and(hostname = new_email AND old_hostname IS NULL)::text FROM vm_events WHERE op = 'update'`,
        ),
        'true',
        'old and new rows are paired right',
      );
      await session.query(`
      CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF pg_trigger_depth() = 1 THEN UPDATE vms SET crd_command = 'again' WHERE id = NEW.id; END IF;
        RETURN NULL; END $$;
      CREATE TRIGGER again AFTER UPDATE ON vms FOR EACH ROW EXECUTE FUNCTION again()`);
      const { take } = await listen(t, config, ['vm_updates']);
      await session.query(`UPDATE vms SET email = 'twice'`);
      const heard = (await take()).map(
        ({ payload }) => JSON.parse(payload) as { hostname: string; version: number },
      );
      for (const hostname of ['vm-1', 'vm-2', 'vm-3']) {
        const highest = Math.max(
          ...heard.filter((row) => row.hostname === hostname).map(({ version }) => version),
        );
        t.equal(
          await session.value('SELECT version FROM vms WHERE hostname = $1', [hostname]),
          String(highest),
        );
      }
    },
  );

  t.test('the rows of a partitioned table are stamped, recorded and sent', async (t) => {
    const { config } = await createDatabase();
    const session = await openSession(t, config);
    const triggers = await session.query<{ sql: string }>(`
      SELECT pg_get_triggerdef(oid) || ';' || format('ALTER TABLE public.vms ENABLE %s TRIGGER %I',
        CASE tgenabled WHEN 'A' THEN 'ALWAYS' WHEN 'R' THEN 'REPLICA' ELSE '' END, tgname) AS sql
      FROM pg_trigger WHERE tgrelid = 'vms'::regclass AND NOT tgisinternal`);
    await session.query(`
      ALTER TABLE vms RENAME TO whole; ALTER TABLE whole DISABLE TRIGGER USER;
      CREATE TABLE vms (LIKE whole INCLUDING DEFAULTS) PARTITION BY LIST (hostname);
      CREATE TABLE first_vms PARTITION OF vms FOR VALUES IN ('vm-1');
      CREATE TABLE other_vms PARTITION OF vms DEFAULT`);
    for (const { sql } of triggers)
      await session.query(sql.replaceAll('public.whole', 'public.vms'));
    const { take } = await listen(t, config);
    await session.query(INSERT);
    t.equal((await take()).length, 3);
    await session.query(`UPDATE vms SET status = 'in-use'`);
    await session.query(`UPDATE vms SET hostname = 'vm-9' WHERE hostname = 'vm-1'`);
    t.equal(
      await session.value(
        `SELECT count(*) FROM vms WHERE version > 3 AND assignment_id IS NOT NULL`,
      ),
      '3',
    );
    t.equal(await session.value(`SELECT count(*) FROM vm_deliveries`), '3');
    t.not((await take()).length, 0);
  });
});
