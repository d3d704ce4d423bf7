// version and updated_at: what the trigger stamps on a row, and when it leaves it alone.

import { listen } from './listening.js';
import { onEveryServer } from './servers.js';
import { openSession, type Session } from './session.js';

const MAX_VERSION = 2 ** 53 - 1;

const insert = (session: Session, hostname: string, status = 'available') =>
  session.query('INSERT INTO vms (hostname, status) VALUES ($1, $2)', [hostname, status]);

const versionOf = async (session: Session, hostname: string) =>
  Number(await session.value('SELECT version FROM vms WHERE hostname = $1', [hostname]));

/** Puts a version into a row behind the trigger's back. */
async function plant(session: Session, hostname: string, version: string | null): Promise<void> {
  await session.query('ALTER TABLE vms DISABLE TRIGGER USER');
  await session.query('UPDATE vms SET version = $2 WHERE hostname = $1', [hostname, version]);
  for (const name of ['stamp', 'update', 'delete', 'truncate']) {
    await session.query(`ALTER TABLE vms ENABLE ALWAYS TRIGGER vm_${name}_trigger`);
  }
}

onEveryServer(async (t, { createDatabase }) => {
  t.test('every change takes a higher version, and the time in UTC', async (t) => {
    const session = await openSession(t, (await createDatabase()).config);
    await session.query(`SET TIME ZONE 'Asia/Tokyo'`);
    await insert(session, 'a');
    let last = await versionOf(session, 'a');
    for (const change of [
      `status = 'in-use'`,
      `email = 'x'`,
      `crd_command = 'x'`,
      `crd_command = NULL`,
      `id = 7`,
      `created_at = NULL`,
      `hostname = 'A'`,
    ]) {
      const [row] = await session.query<{ version: string; now: boolean }>(
        `UPDATE vms SET ${change}, updated_at = '1999-01-01'
         RETURNING version, updated_at = now() AT TIME ZONE 'UTC' AS now`,
      );
      t.equal(row?.now, true, change);
      t.ok(Number(row?.version) > last, `${change} takes a version`);
      last = Number(row?.version);
    }
  });

  t.test('an UPDATE that changes nothing of its own changes nothing at all', async (t) => {
    const { config } = await createDatabase();
    const session = await openSession(t, config);
    await insert(session, 'before', 'in-use');
    await session.query(`
      ALTER TABLE vms ADD COLUMN gone text DEFAULT 'x', ADD COLUMN filled int DEFAULT 5,
        ADD COLUMN doubled int GENERATED ALWAYS AS (id * 2) STORED,
        ADD COLUMN "quoted "" name" json DEFAULT '{"a": 1}', ADD COLUMN large text`);
    await session.query('ALTER TABLE vms DROP COLUMN gone');
    await session.query(`UPDATE vms SET large = repeat(md5(random()::text), 10000)`);
    await insert(session, 'after', 'in-use');
    const { take } = await listen(t, config);
    const state = `SELECT json_agg(vms ORDER BY id)::text || (SELECT last_value FROM vms_version_seq) FROM vms`;
    const before = await session.value(state);

    for (const nothing of [
      `updated_at = now()`,
      `updated_at = NULL`,
      `version = 1`,
      `version = NULL`,
      `assignment_id = NULL`,
      `assignment_id = gen_random_uuid()`,
      `hostname = hostname, status = 'in-use', large = large || '', filled = 5`,
    ]) {
      await session.query(`UPDATE vms SET ${nothing}`);
      t.equal(await session.value(state), before, nothing);
    }
    t.same(await take(), []);
  });

  t.test('with a generated column, a change of any other column is one', async (t) => {
    const { config } = await createDatabase();
    const session = await openSession(t, config);
    await insert(session, 'a');
    await session.query(`
      ALTER TABLE vms ADD COLUMN note json, ADD COLUMN doubled int GENERATED ALWAYS AS (id * 2) STORED`);
    const { take } = await listen(t, config);
    for (const change of [`note = '1'`, `id = 5`]) {
      const version = await versionOf(session, 'a');
      const text = await session.value(`UPDATE vms SET ${change} RETURNING row_to_json(vms)`);
      t.ok((await versionOf(session, 'a')) > version, change);
      t.same(
        (await take()).map(({ payload }) => payload),
        [await session.value('SELECT row_to_json(vms)::text FROM vms')],
        `${change}, ${text ?? ''}`,
      );
    }
  });

  t.test('no UPDATE can set a version or an assignment', async (t) => {
    const session = await openSession(t, (await createDatabase()).config);
    await insert(session, 'a', 'in-use');
    const assignment = await session.value('SELECT assignment_id FROM vms');
    const version = await versionOf(session, 'a');
    await session.query(`UPDATE vms SET id = 5, version = 7000, assignment_id = gen_random_uuid()`);
    t.equal(await session.value('SELECT assignment_id FROM vms'), assignment);
    t.equal(await versionOf(session, 'a'), version + 1);
    await session.query(`
      INSERT INTO vms (hostname, status, email, version, assignment_id)
      VALUES ('a', 'in-use', 'x', 7000, gen_random_uuid())
      ON CONFLICT (hostname) DO UPDATE SET email = NULL, id = 6, version = EXCLUDED.version,
        assignment_id = EXCLUDED.assignment_id`);
    t.equal(await session.value('SELECT assignment_id FROM vms'), assignment);
    t.ok((await versionOf(session, 'a')) < 7000);
  });

  t.test('INSERT keeps given times, and gives a version of its own', async (t) => {
    const session = await openSession(t, (await createDatabase()).config);
    await session.query(`
      INSERT INTO vms (hostname, status, created_at, updated_at, version)
      VALUES ('a', 'available', '2020-01-02 03:04:05', NULL, 7000)`);
    t.equal(await session.value(`SELECT created_at FROM vms`), '2020-01-02 03:04:05');
    t.equal(await session.value(`SELECT updated_at FROM vms`), null);
    t.ok((await versionOf(session, 'a')) < 7000);
  });

  t.test('a sequence at its end begins again, and versions stay safe integers', async (t) => {
    const session = await openSession(t, (await createDatabase()).config);
    for (const hostname of ['a', 'b', 'c']) await insert(session, hostname);
    await session.query(`SELECT setval('vms_version_seq', ${MAX_VERSION - 1})`);
    await session.query(`UPDATE vms SET email = 'x' WHERE hostname = 'a'`);
    t.equal(await versionOf(session, 'a'), MAX_VERSION);
    await session.query(`UPDATE vms SET email = 'x' WHERE hostname = 'b'`);
    t.equal(await versionOf(session, 'b'), 5, 'one above its own, below all others');
    await session.query(`UPDATE vms SET email = 'y' WHERE hostname = 'a'`);
    t.equal(await versionOf(session, 'a'), 2, 'there is nothing above the maximum');
    await session.query(`SELECT setval('vms_version_seq', ${MAX_VERSION})`);
    await insert(session, 'd');
    t.ok((await versionOf(session, 'd')) <= 2, 'neither the default nor the trigger failed');
  });

  t.test('whatever version a row has, its next is a safe integer', async (t) => {
    const session = await openSession(t, (await createDatabase()).config);
    await insert(session, 'a');
    for (const absurd of [
      '9223372036854775807',
      '-9223372036854775808',
      String(MAX_VERSION),
      String(MAX_VERSION + 1),
      '0',
      null,
    ]) {
      await plant(session, 'a', absurd);
      await session.query(`UPDATE vms SET id = id + 1`);
      const version = await versionOf(session, 'a');
      t.ok(version > 0 && version < 1000, `after ${absurd}: ${version}`);
    }
    await plant(session, 'a', String(MAX_VERSION - 1));
    await session.query(`UPDATE vms SET id = id + 1`);
    t.equal(await versionOf(session, 'a'), MAX_VERSION);
    await plant(session, 'a', '500000');
    await session.query(`UPDATE vms SET id = id + 1`);
    t.equal(await versionOf(session, 'a'), 500_001, 'ahead of the sequence it goes on');
  });

  t.test('rows inserted while triggers are off have a version of the sequence', async (t) => {
    const session = await openSession(t, (await createDatabase()).config);
    await insert(session, 'a');
    await session.query('ALTER TABLE vms DISABLE TRIGGER USER');
    await insert(session, 'b');
    t.equal(await versionOf(session, 'b'), (await versionOf(session, 'a')) + 1);
  });

  t.test('TRUNCATE ... RESTART IDENTITY restarts ids, not versions', async (t) => {
    const session = await openSession(t, (await createDatabase()).config);
    await insert(session, 'a');
    const version = await versionOf(session, 'a');
    await session.query('TRUNCATE TABLE vms RESTART IDENTITY');
    await insert(session, 'a');
    t.equal(await session.value('SELECT id FROM vms'), '1');
    t.ok((await versionOf(session, 'a')) > version);
  });
});
