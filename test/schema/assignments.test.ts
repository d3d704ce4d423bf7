// assignment_id: which changes of a row are a new assignment, which keep it and which end it.

import { onEveryServer } from './servers.js';
import { openSession } from './session.js';

/**
 * An INSERT makes random ones, of version 4; an UPDATE makes ones that authenticate themselves, of
 * version 8.
 */
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** The row before, as the SET of one UPDATE or of several; the change; what becomes of the id. */
const CHANGES: [before: string[], change: string, outcome: 'new' | 'kept' | 'none'][] = [
  [[], `status = 'in-use'`, 'new'],
  [[], `status = 'in-use', email = 'a', crd_command = 'x'`, 'new'],
  [[], `email = 'a', crd_command = 'x'`, 'none'],
  [[], `status = 'failed'`, 'none'],
  [[], `status = 'rebooting'`, 'none'],

  [[`status = 'in-use'`], `email = 'a'`, 'new'],
  [[`status = 'in-use'`], `crd_command = 'x'`, 'new'],
  [[`status = 'in-use'`], `crd_command = ''`, 'new'],
  [[`status = 'in-use', email = 'a'`], `email = NULL`, 'new'],
  [[`status = 'in-use', email = 'a'`], `email = 'A'`, 'new'],
  [[`status = 'in-use', email = 'a'`], `email = 'a '`, 'new'],
  [[`status = 'in-use', crd_command = 'x'`], `crd_command = NULL`, 'new'],
  [[`status = 'in-use', email = 'a'`], `email = 'a', status = 'in-use', id = 9`, 'kept'],
  [[`status = 'in-use', email = 'a'`], `hostname = 'renamed'`, 'kept'],
  [[`status = 'in-use', email = 'a'`], `created_at = NULL`, 'kept'],
  [[`status = 'in-use', email = 'a'`], `updated_at = NULL`, 'kept'],
  [[`status = 'in-use', email = 'a'`], `status = 'failed'`, 'kept'],
  [[`status = 'in-use', email = 'a'`], `status = 'failed', email = NULL`, 'kept'],
  [[`status = 'in-use', email = 'a'`], `status = 'rebooting'`, 'kept'],
  [[`status = 'in-use', email = 'a'`], `status = 'In-Use'`, 'kept'],
  [[`status = 'in-use', email = 'a'`], `status = 'available'`, 'none'],
  [[`status = 'in-use', email = 'a'`], `status = 'available', email = NULL`, 'none'],

  [[`status = 'in-use'`, `status = 'failed'`], `email = 'b', crd_command = 'y'`, 'kept'],
  [[`status = 'in-use'`, `status = 'failed'`], `status = 'in-use'`, 'new'],
  [[`status = 'in-use'`, `status = 'failed'`], `status = 'rebooting'`, 'kept'],
  [[`status = 'in-use'`, `status = 'failed'`], `status = 'available'`, 'none'],
  [[`status = 'in-use'`, `status = 'rebooting'`], `status = 'in-use'`, 'new'],
  [[`status = 'in-use'`, `status = 'rebooting'`], `crd_command = 'y'`, 'kept'],
  [[`status = 'failed'`], `email = 'a'`, 'none'],
];

onEveryServer(async (t, { createDatabase }) => {
  const { config } = await createDatabase();
  const session = await openSession(t, config);

  for (const [before, change, outcome] of CHANGES) {
    t.test(`${before.join('; ') || 'available'} → ${change}: ${outcome}`, async (t) => {
      await session.query('DELETE FROM vms');
      await session.query(`INSERT INTO vms (hostname, status) VALUES ('a', 'available')`);
      for (const set of before) await session.query(`UPDATE vms SET ${set}`);
      const old = await session.value('SELECT assignment_id FROM vms');
      await session.query(`UPDATE vms SET ${change}`);
      const id = await session.value('SELECT assignment_id FROM vms');
      if (outcome === 'none') return t.equal(id, null);
      t.match(id, UUID);
      return outcome === 'kept' ? t.equal(id, old) : t.not(id, old);
    });
  }

  const given = '11111111-1111-4111-8111-111111111111';
  for (const [status, id, kept] of [
    ['in-use', given, true],
    ['failed', given, true],
    ['rebooting', given, true],
    ['available', given, false],
    ['available', null, true],
    ['failed', null, true],
  ] as const) {
    t.test(`INSERT of ${status} with ${id}: ${kept ? 'kept' : 'none'}`, async (t) => {
      await session.query('DELETE FROM vms');
      const sql = `INSERT INTO vms (hostname, status, assignment_id) VALUES ('a', $1, $2)
                   RETURNING assignment_id`;
      t.equal(await session.value(sql, [status, id]), kept ? id : null);
    });
  }

  t.test('INSERT of in-use without an assignment is a new one', async (t) => {
    const sql = `INSERT INTO vms (hostname, status) SELECT n::text, 'in-use'
                 FROM generate_series(1, 50) n`;
    await session.query(sql);
    const count = 'SELECT count(DISTINCT assignment_id) FROM vms WHERE hostname ~ $1';
    t.equal(await session.value(count, ['^\\d+$']), '50');
  });

  t.test('an in-use row that has none, written while triggers were off, gets one', async (t) => {
    const { config } = await createDatabase();
    const session = await openSession(t, config);
    await session.query('ALTER TABLE vms DISABLE TRIGGER vm_stamp_trigger');
    await session.query(`INSERT INTO vms (hostname, status) VALUES ('a', 'in-use')`);
    await session.query('ALTER TABLE vms ENABLE ALWAYS TRIGGER vm_stamp_trigger');
    t.match(await session.value(`UPDATE vms SET id = 9 RETURNING assignment_id`), UUID);
  });

  t.test('a collation that calls texts equal does not hide an assignment', async (t) => {
    const { config } = await createDatabase();
    const session = await openSession(t, config);
    await session.query(`
      CREATE COLLATION caseless (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
      ALTER TABLE vms ALTER COLUMN email TYPE varchar(255) COLLATE caseless,
        ALTER COLUMN status TYPE varchar(50) COLLATE caseless`);
    await session.query(`INSERT INTO vms (hostname, status, email) VALUES ('a', 'in-use', 'ann')`);
    const first = await session.value('SELECT assignment_id FROM vms');
    const second = await session.value(`UPDATE vms SET email = 'ANN' RETURNING assignment_id`);
    t.not(second, first);
    t.equal(
      await session.value(`UPDATE vms SET status = 'AVAILABLE' RETURNING assignment_id`),
      second,
    );
  });
});
