// An installation that is in use gets the new triggers while writers go on: no change is lost, none
// is seen twice, and no assignment that is still to be delivered is taken for delivered. A first
// installation adopts what it finds.

import { readdir, readFile } from 'node:fs/promises';
import type { Test } from 'tap';
import { migrate } from '../../src/postgres/migrations/migrate.js';
import { createGuideDatabase } from './guide.js';
import { listen } from './listening.js';
import { onEveryServer } from './servers.js';
import { openSession, type Session } from './session.js';

const WRITERS = 4;
const WRITES_AFTER = 20;

/** The migrations up to the eleventh, in a folder of their own. */
async function earlier(t: Test): Promise<string> {
  const schema = new URL('../../schema/', import.meta.url);
  const files: Record<string, string> = {};
  for (const name of (await readdir(schema)).filter((name) => /^0000(0\d|1[01])_/.test(name))) {
    files[name] = await readFile(new URL(name, schema), 'utf8');
  }
  return t.testdir(files);
}

onEveryServer(async (t, { createDatabase }) => {
  t.test('writers at work while the triggers change', async (t) => {
    const database = await createDatabase({ migrate: false });
    await migrate(database.config, { mode: 'apply', folder: await earlier(t) });
    const session = await openSession(t, database.config);
    await session.query(
      `INSERT INTO vms (hostname, status) SELECT n, 'available' FROM generate_series(1, ${WRITERS}) n`,
    );
    const { take } = await listen(t, database.config, ['vm_updates']);
    const migration = { done: false };
    const write = async (writer: Session, n: number): Promise<number> => {
      let writes = 0;
      for (let after = 0; after < WRITES_AFTER; after += migration.done ? 1 : 0) {
        writes += 1;
        await writer.query(`UPDATE vms SET status = 'in-use', email = $2 WHERE hostname = $1`, [
          String(n),
          `${n}-${writes}`,
        ]);
      }
      return writes;
    };
    const writers = await Promise.all(
      Array.from({ length: WRITERS }, () => openSession(t, database.config)),
    );
    const writing = Promise.all(writers.map((writer, n) => write(writer, n + 1)));
    await migrate(database.config, { mode: 'apply' });
    migration.done = true;
    const writes = (await writing).reduce((sum, count) => sum + count, 0);

    const heard = (await take()).map(
      ({ payload }) => (JSON.parse(payload) as { email: string }).email,
    );
    t.equal(heard.length, writes, 'each change is heard once');
    t.equal(new Set(heard).size, writes);
    const events = `SELECT count(*) FROM vm_events WHERE op = 'update'`;
    t.equal(await session.value(events), String(writes), 'recorded once');
    t.equal(await session.value(`SELECT count(DISTINCT new_email) FROM vm_events`), String(writes));
    t.equal(await session.value(`SELECT count(*) FROM vm_deliveries`), String(writes));
    t.equal(
      await session.value(`SELECT count(*) FROM vm_deliveries WHERE acknowledged_at IS NOT NULL`),
      '0',
    );
  });

  t.test(
    'a first installation adopts the assignments that it finds, and no later one',
    async (t) => {
      const { config } = await createDatabase({ migrate: false });
      const session = await openSession(t, config);
      await createGuideDatabase(session);
      await migrate(config, { mode: 'apply' });
      const adopted = `SELECT string_agg(v.hostname, ' ' ORDER BY v.id) FROM vms v
      JOIN vm_deliveries d USING (assignment_id)
      WHERE adopted_at IS NOT NULL AND acknowledged_at = adopted_at`;
      t.equal(await session.value(adopted), 'i-0abc123def456 i-in-use-too');
      await session.query(`UPDATE vms SET updated_at = now(), created_at = now()`);
      t.equal(
        await session.value(adopted),
        'i-0abc123def456 i-in-use-too',
        'they stay what they are',
      );
      await session.query(`UPDATE vms SET crd_command = 'another' WHERE hostname = 'i-in-use-too'`);
      t.equal(await session.value(adopted), 'i-0abc123def456');
    },
  );

  t.test('an upgrade, and a database that lost its record, adopt nothing', async (t) => {
    const { config } = await createDatabase({ migrate: false });
    const session = await openSession(t, config);
    await migrate(config, { mode: 'apply', folder: await earlier(t) });
    await session.query(`INSERT INTO vms (hostname, status) VALUES ('a', 'in-use')`);
    // As an assignment older than this column has it.
    await session.query('UPDATE vm_deliveries SET made_at = NULL');
    await migrate(config, { mode: 'apply' });
    const adopted =
      'SELECT count(*) FROM vm_deliveries WHERE adopted_at IS NOT NULL OR acknowledged_at IS NOT NULL';
    t.equal(await session.value(adopted), '0');
    const key = await session.value('SELECT key FROM vm_keys');
    await session.query('DROP TABLE lablink_migrations');
    await migrate(config, { mode: 'apply' });
    t.equal(await session.value(adopted), '0');
    t.equal(await session.value('SELECT key FROM vm_keys'), key, 'and the key stays');
  });
});
