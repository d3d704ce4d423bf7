// The doctor's findings about functions that other roles may attach, and about row security.

import t from 'tap';
import { diagnose } from '../../../../src/postgres/admin/doctor/doctor.js';
import { startDatabase } from '../../../helpers/database.js';

t.test('functions that others may execute, and row security', async (t) => {
  const database = await startDatabase(t);
  const find = async () => {
    const connection = database.config;
    return (await diagnose({ connection, queries: connection, isRemote: false })).findings;
  };
  t.same(await find(), []);
  await database.query('GRANT EXECUTE ON FUNCTION stamp_vm() TO PUBLIC');
  await database.query('ALTER TABLE vms ENABLE ROW LEVEL SECURITY');
  const found = (await find()).filter(({ id }) => id !== 'triggers_changed');
  t.match(found, [
    { id: 'functions_public', severity: 'error', remedy: /ON FUNCTION stamp_vm\(\) FROM PUBLIC/ },
    { id: 'row_security', severity: 'error' },
  ]);
  await database.query(found[1]?.remedy ?? '');
  await database.query('REVOKE ALL ON FUNCTION stamp_vm() FROM PUBLIC');
  t.same(await find(), []);
});
