// Every assignment has its delivery, whichever role makes it. Old deliveries are deleted, but never
// the current one's.

import { onEveryServer } from './servers.js';
import { openSession } from './session.js';

onEveryServer(async (t, { createDatabase }) => {
  t.test('an assignment begins its delivery, and nothing else does', async (t) => {
    const session = await openSession(t, (await createDatabase()).config);
    const count = () => session.value('SELECT count(*) FROM vm_deliveries');
    await session.query(
      `INSERT INTO vms (hostname, status) VALUES ('a', 'available'), ('b', 'in-use')`,
    );
    t.equal(await count(), '1', 'of the one that is in use from the start');
    await session.query(`UPDATE vms SET status = 'in-use', email = 'x' WHERE hostname = 'a'`);
    t.equal(await count(), '2');
    await session.query(`UPDATE vms SET hostname = 'c' WHERE hostname = 'a'`);
    await session.query(`UPDATE vms SET status = 'failed' WHERE hostname = 'c'`);
    await session.query(`UPDATE vms SET updated_at = now()`);
    t.equal(await count(), '2', 'what is no new assignment');
    t.same(
      await session.query(
        `SELECT d.hostname, made_at = updated_at AT TIME ZONE 'UTC' AS made_with_it FROM vms v
         JOIN vm_deliveries d USING (assignment_id) WHERE v.hostname = 'b'`,
      ),
      [{ hostname: 'b', made_with_it: true }],
    );
    await session.query(`UPDATE vms SET status = 'available', email = NULL`);
    t.equal(await count(), '2', 'a release ends nothing that was');
  });

  t.test('what cannot be recorded does not stop the change', async (t) => {
    const session = await openSession(t, (await createDatabase()).config);
    await session.query(`INSERT INTO vms (hostname, status) VALUES ('a', 'available')`);
    await session.query('DROP TABLE vm_deliveries');
    await session.query(`UPDATE vms SET status = 'in-use'`);
    t.equal(await session.value('SELECT status FROM vms'), 'in-use');
  });

  t.test('old deliveries go in small steps, but for the current ones', async (t) => {
    const session = await openSession(t, (await createDatabase()).config);
    await session.query(`INSERT INTO vms (hostname, status) VALUES ('a', 'in-use')`);
    await session.query(`UPDATE vm_deliveries SET made_at = now() - interval '1 year'`);
    await session.query(`
      INSERT INTO vm_deliveries (assignment_id, hostname, made_at)
      SELECT gen_random_uuid(), 'a', now() - n * interval '1 day' FROM generate_series(1, 10) n`);
    const prune = (most: number) =>
      session.value(`SELECT prune_vm_deliveries('4.5 days', $1)`, [most]);
    t.same([await prune(4), await prune(4), await prune(4)], ['4', '2', '0']);
    t.equal(
      await session.value('SELECT count(*) FROM vms JOIN vm_deliveries USING (assignment_id)'),
      '1',
    );
  });
});
