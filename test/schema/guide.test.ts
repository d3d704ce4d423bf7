// The guide's statements, word for word, have the effects that they had, and are notified.

import { migrate } from '../../src/postgres/migrations/migrate.js';
import { createGuideDatabase, OPERATIONS } from './guide.js';
import { type Heard, listen, read, READ_ALL, row } from './listening.js';
import { onEveryServer } from './servers.js';
import { openSession, type Session } from './session.js';

const HOSTNAME = 'i-0abc123def456';

const rowNow = async (session: Session): Promise<Heard> => {
  const sql = 'SELECT row_to_json(vms)::text FROM vms WHERE hostname = $1';
  return row((await session.value(sql, [HOSTNAME])) ?? 'no such row');
};

onEveryServer(async (t, { createDatabase }) => {
  t.test('updates, a deletion and a clearing', async (t) => {
    const { config } = await createDatabase({ migrate: false });
    const session = await openSession(t, config);
    await createGuideDatabase(session);
    await migrate(config, { mode: 'apply' });
    const { take } = await listen(t, config);
    const assignment = () =>
      session.value('SELECT assignment_id FROM vms WHERE hostname = $1', [HOSTNAME]);
    const first = await assignment();

    await session.query(OPERATIONS['VM as failed']);
    t.same(await take(), [await rowNow(session)]);
    t.equal(await assignment(), first);

    await session.query(OPERATIONS['VM as available']);
    t.same(await take(), [await rowNow(session)]);
    t.equal(await assignment(), null);
    await session.query(OPERATIONS['VM as available']);
    t.same(await take(), [], 'it was so already, but for updated_at');

    await session.query(OPERATIONS['VM as in use']);
    t.same(await take(), [await rowNow(session)]);
    t.not(await assignment(), null);
    t.not(await assignment(), first);

    await session.query(OPERATIONS['Delete VM record']);
    t.same(await take(), [read(HOSTNAME)]);
    await session.query(OPERATIONS['Clear all VMs']);
    t.same(await take(), [READ_ALL]);
    t.equal(await session.value('SELECT count(*) FROM vms'), '0');
  });

  t.test(
    'its function may be made again: rows travel as they did, and what goes is still told',
    async (t) => {
      const { config } = await createDatabase();
      const session = await openSession(t, config);
      await session.query(`INSERT INTO vms (hostname, status) VALUES ($1, 'available')`, [
        HOSTNAME,
      ]);
      await session.query(OPERATIONS['The function']);
      const { take } = await listen(t, config);
      await session.query(`UPDATE vms SET status = 'failed'`);
      t.same(await take(), [await rowNow(session)]);
    },
  );
});
