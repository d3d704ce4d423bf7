// No trigger aborts the change that fires it, whatever the rights and the settings of the writer.

import { readFile } from 'node:fs/promises';
import { migrate } from '../../src/postgres/migrations/migrate.js';
import { listen } from './listening.js';
import { onEveryServer } from './servers.js';
import { openSession } from './session.js';
import { INSERT, rowNow, writeAll } from './write-all.js';

onEveryServer(async (t, { createDatabase, majorVersion }) => {
  t.test('a writer who may do no more than write', async (t) => {
    const database = await createDatabase();
    const admin = await openSession(t, database.adminConfig);
    await admin.query(`
      REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC;
      CREATE ROLE writer_${majorVersion} LOGIN;
      GRANT CONNECT ON DATABASE ${database.config.database} TO writer_${majorVersion};
      GRANT INSERT, UPDATE, DELETE, SELECT, TRUNCATE ON vms TO writer_${majorVersion};
      GRANT USAGE ON SEQUENCE vms_id_seq TO writer_${majorVersion}`);
    const writer = await openSession(t, database.adminConfig);
    await writer.query(`SET SESSION AUTHORIZATION writer_${majorVersion}`);
    await t.rejects(writer.query('SELECT last_value FROM vms_version_seq'), { code: '42501' });
    await writeAll(t, database, writer);
    await admin.query(INSERT);
    await admin.query(`REVOKE ALL ON vms FROM writer_${majorVersion}`);
    await admin.query(`GRANT UPDATE (status) ON vms TO writer_${majorVersion}`);
    const { take } = await listen(t, database.config);
    await writer.query(`UPDATE vms SET status = 'in-use'`);
    t.same(await take(), [await rowNow(admin)], 'with the right to one column');
  });

  t.test('the rights that schema/README.md names suffice for a gateway', async (t) => {
    const database = await createDatabase();
    const admin = await openSession(t, database.adminConfig);
    const readme = await readFile(new URL('../../schema/README.md', import.meta.url), 'utf8');
    const grants = /```sql\n(GRANT[^`]*)```/.exec(readme)?.[1] ?? '';
    await admin.query(`CREATE ROLE gateway; ${grants}`);
    const asGateway = { ...database.adminConfig, options: '-c role=gateway' };
    await migrate(asGateway, { mode: 'check' });
    const gateway = await openSession(t, asGateway);
    await admin.query('GRANT TRUNCATE ON vms TO gateway'); // writeAll does, a gateway does not
    await writeAll(t, database, gateway);
    await gateway.query(INSERT);
    await gateway.query('SELECT * FROM read_vms(NULL)');
    await gateway.query('SELECT last_value FROM vms_version_seq');
    await gateway.query(`INSERT INTO vm_deliveries VALUES (gen_random_uuid(), 'c')`);
    await gateway.query('UPDATE vm_deliveries SET acknowledged_at = now()');
    const deleted = `DELETE FROM vm_deliveries WHERE hostname = 'c' RETURNING hostname`;
    t.equal((await gateway.query(deleted)).length, 1);
  });

  for (const setting of [
    `search_path = ''`,
    `search_path = pg_temp, public`,
    `session_replication_role = replica`,
    `check_function_bodies = off`,
    `standard_conforming_strings = off`,
    `transform_null_equals = on`,
    `plpgsql.extra_errors = 'all'`,
    `plpgsql.variable_conflict = 'use_column'`,
    `default_transaction_isolation = 'serializable'`,
  ]) {
    t.test(`a session with ${setting}`, async (t) => {
      const database = await createDatabase();
      const session = await openSession(t, database.adminConfig);
      await session.query(`SET ${setting}`);
      await writeAll(t, database, session);
    });
  }

  t.test('a session that shadows what the triggers call', async (t) => {
    const database = await createDatabase();
    const session = await openSession(t, database.config);
    await session.query(`
      CREATE FUNCTION pg_temp.now() RETURNS timestamptz LANGUAGE sql AS $$ SELECT timestamptz '1999-01-01' $$;
      CREATE FUNCTION pg_temp.pg_notify(text, text) RETURNS void LANGUAGE sql AS $$ SELECT 1/0 $$;
      CREATE TEMP TABLE pg_attribute (attrelid int);
      CREATE TEMP SEQUENCE vms_version_seq;
      SET search_path = pg_temp, pg_catalog, public`);
    await writeAll(t, database, session);
  });
});
