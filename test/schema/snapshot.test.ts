// The schema that migrations make is the one written down in schema/snapshot.txt, from wherever
// they start. To write it down again: npx tap --snapshot test/schema/snapshot.test.ts

import { readFile, writeFile } from 'node:fs/promises';
import { migrate } from '../../src/postgres/migrations/migrate.js';
import { createGuideDatabase } from './guide.js';
import { onEveryServer } from './servers.js';
import { openSession } from './session.js';
import { describeSchema, SNAPSHOT_FILE } from './snapshot.js';

onEveryServer(async (t, { createDatabase }) => {
  const snapshot = async () => (await readFile(SNAPSHOT_FILE, 'utf8')).trimEnd().split('\n');

  t.test('an empty database', async (t) => {
    const session = await openSession(t, (await createDatabase()).config);
    const lines = await describeSchema(session);
    if (t.writeSnapshot) await writeFile(SNAPSHOT_FILE, `${lines.join('\n')}\n`);
    t.same(lines, await snapshot());
  });

  t.test('a database with the table, the function, the trigger and the indexes', async (t) => {
    const { config } = await createDatabase({ migrate: false });
    const session = await openSession(t, config);
    await createGuideDatabase(session);
    await migrate(config, { mode: 'apply' });
    t.same(await describeSchema(session), await snapshot());
  });

  t.test('a database that was migrated before, its record lost', async (t) => {
    const { config } = await createDatabase();
    const session = await openSession(t, config);
    await session.query('DROP TABLE lablink_migrations');
    await migrate(config, { mode: 'apply' });
    t.same(await describeSchema(session), await snapshot());
  });

  t.test('it shows whatever is different', async (t) => {
    const session = await openSession(t, (await createDatabase()).config);
    for (const change of [
      'ALTER TABLE vms DISABLE TRIGGER vm_stamp_trigger',
      'ALTER TABLE vms ENABLE TRIGGER vm_stamp_trigger',
      'ALTER FUNCTION notify_vm_changes() RESET search_path',
      'ALTER FUNCTION send_vm_changes() RESET jit',
      'ALTER TABLE vms ENABLE TRIGGER vm_audit_trigger',
      'ALTER TABLE vms ENABLE ALWAYS TRIGGER vm_update_set_trigger',
      'GRANT EXECUTE ON FUNCTION stamp_vm() TO PUBLIC',
      'ALTER FUNCTION stamp_vm() SECURITY INVOKER',
      'ALTER SEQUENCE vms_version_seq NO CYCLE',
      'REVOKE USAGE ON SEQUENCE vms_version_seq FROM PUBLIC',
      'ALTER TABLE vms ALTER COLUMN version DROP DEFAULT',
      'DROP INDEX idx_vms_email',
      'ALTER TABLE vms ADD CHECK (id > 0)',
    ]) {
      await session.query('BEGIN');
      await session.query(change);
      t.notSame(await describeSchema(session), await snapshot(), change);
      await session.query('ROLLBACK');
    }
    t.same(await describeSchema(session), await snapshot(), 'and nothing else');
  });
});
