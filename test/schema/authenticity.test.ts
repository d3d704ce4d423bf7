// An assignment that an UPDATE makes authenticates itself, to roles that may read the key, and to
// no others; where it cannot, it has a random id and is made all the same.

import { authenticId, randomBits, type Assignment } from './authenticity.js';
import { onEveryServer } from './servers.js';
import { openSession, type Session } from './session.js';
import t from 'tap';

t.test('the test vector of schema/README.md', async (t) => {
  const key = Buffer.from(Array.from({ length: 32 }, (_, n) => n));
  const assignment = {
    hostname: 'vm-1',
    email: 'zoë@example.com',
    crd_command: null,
    version: 4711,
  };
  t.equal(authenticId(key, 'c0de', assignment), '00000000-1267-8c0d-8e0f-230224ab4f50');
});

async function verify(session: Session): Promise<[id: string, expected: string]> {
  const [row] = await session.query<Assignment & { id: string }>(
    `SELECT hostname, email, crd_command, version::float8 AS version, assignment_id AS id FROM vms`,
  );
  const key = Buffer.from(
    (await session.value(`SELECT encode(key, 'hex') FROM vm_keys`)) ?? '',
    'hex',
  );
  if (row === undefined) throw new Error('there is no row');
  return [row.id, authenticId(key, randomBits(row.id), row)];
}

onEveryServer(async (t, { createDatabase, majorVersion }) => {
  t.test('an assignment made by UPDATE carries the digest of what it assigns', async (t) => {
    const session = await openSession(t, (await createDatabase()).config);
    await session.query(`INSERT INTO vms (hostname, status) VALUES ('vm-ł 😀', 'available')`);
    for (const set of [
      `status = 'in-use'`,
      `email = 'zoë', crd_command = NULL`,
      `crd_command = ''`,
      `email = '', crd_command = repeat('é', 9000)`,
      `email = NULL, crd_command = E'a\\nb\\t"\\\\'`,
    ]) {
      await session.query(`UPDATE vms SET ${set}`);
      const [id, expected] = await verify(session);
      t.equal(id, expected, set);
    }
    const [last] = await verify(session);
    await session.query(`UPDATE vms SET created_at = now()`);
    t.equal((await verify(session))[0], last, 'another change keeps it');
    await session.query(`SELECT setval('vms_version_seq', 9007199254740989)`);
    await session.query(`UPDATE vms SET email = 'later'`);
    const [id, expected] = await verify(session);
    t.equal(id, expected, 'beyond 48 bits the digest has the whole version');
  });

  t.test('what no UPDATE of a standing row made has a random id', async (t) => {
    const session = await openSession(t, (await createDatabase()).config);
    const V4 = /^.{14}4/;
    t.match(
      await session.value(
        `INSERT INTO vms (hostname, status) VALUES ('a', 'in-use') RETURNING assignment_id`,
      ),
      V4,
      'INSERT',
    );
    t.match(
      await session.value(`UPDATE vms SET hostname = 'b', email = 'x' RETURNING assignment_id`),
      V4,
      'a rename',
    );
    t.match(
      await session.value(
        `INSERT INTO vms (hostname, status, crd_command) VALUES ('b', 'in-use', 'evil')
         ON CONFLICT (hostname) DO UPDATE SET email = EXCLUDED.assignment_id RETURNING email`,
      ),
      V4,
      'and none can be had authenticated by a role that may INSERT',
    );
  });

  for (const breakage of [
    'DROP TABLE vm_keys',
    'DELETE FROM vm_keys',
    'ALTER TABLE vm_keys DROP COLUMN inner_pad',
    'DROP FUNCTION make_vm_assignment_id(text, text, text, bigint)',
  ]) {
    t.test(`${breakage}: assignments are made, with random ids`, async (t) => {
      const session = await openSession(t, (await createDatabase()).config);
      await session.query(`INSERT INTO vms (hostname, status) VALUES ('a', 'available')`);
      await session.query(breakage);
      const made = await session.query<{ id: string }>(
        `UPDATE vms SET status = 'in-use' RETURNING assignment_id AS id`,
      );
      t.match(made, [{ id: /^.{14}4/ }]);
      t.equal(await session.value('SELECT count(*) FROM vm_deliveries'), '1');
    });
  }

  t.test('the key is for the owner and those to whom it is granted', async (t) => {
    const database = await createDatabase();
    const admin = await openSession(t, database.adminConfig);
    t.equal(await admin.value('SELECT octet_length(key) FROM vm_keys'), '32');
    await admin.query(
      `CREATE ROLE curious_${majorVersion}; GRANT ALL ON vms TO curious_${majorVersion}`,
    );
    await admin.query(`SET ROLE curious_${majorVersion}`);
    for (const attempt of [
      'SELECT * FROM vm_keys',
      `SELECT make_vm_assignment_id('a', 'b', 'c', 1)`,
      `SELECT vm_stamp('UPDATE', NULL, NULL)`,
    ]) {
      await t.rejects(admin.query(attempt), { code: '42501' }, attempt);
    }
  });
});
