// The audit has every change with its author, whichever role makes it and whatever becomes of the
// columns. It stops no write, and a role that may only read it changes nothing there.

import { readFile } from 'node:fs/promises';
import { onEveryServer } from './servers.js';
import { openSession, type Session } from './session.js';

interface Event {
  readonly op: string;
  readonly hostname: string | null;
  readonly [column: string]: unknown;
}

/** The events since the last call, the earliest first, without their times and numbers. */
async function take(session: Session): Promise<Event[]> {
  const events = await session.query<Event>(
    `SELECT to_jsonb(e) - '{id,at,version}'::text[] AS event FROM vm_events e ORDER BY id`,
  );
  await session.query('DELETE FROM vm_events');
  return events.map(({ event }) => event as Event);
}

const NOTHING = {
  old_hostname: null,
  assignment_id: null,
  old_status: null,
  new_status: null,
  old_email: null,
  new_email: null,
  crd_command_changed: false,
  actor: null,
  request_id: null,
};

onEveryServer(async (t, { createDatabase, majorVersion }) => {
  t.test('every change, with what it did to whom', async (t) => {
    const database = await createDatabase();
    const session = await openSession(t, database.config);
    const by = { ...NOTHING, database_user: 'lablink' };
    const assignment = () => session.value('SELECT assignment_id FROM vms');

    await session.query(`INSERT INTO vms (hostname, status) VALUES ('a', 'available')`);
    t.same(await take(session), [{ ...by, op: 'insert', hostname: 'a', new_status: 'available' }]);

    await session.query(`UPDATE vms SET status = 'in-use', email = 'x', crd_command = 'secret'`);
    const first = await assignment();
    const assigned = { old_status: 'available', new_status: 'in-use', new_email: 'x' };
    t.same(await take(session), [
      {
        ...{ ...by, ...assigned, op: 'update', hostname: 'a' },
        ...{ assignment_id: first, crd_command_changed: true },
      },
    ]);

    await session.query(`UPDATE vms SET email = 'y', hostname = 'b'`);
    const second = await assignment();
    t.not(second, first);
    t.match(await take(session), [
      { hostname: 'b', old_hostname: 'a', old_email: 'x', new_email: 'y', assignment_id: second },
    ]);

    await session.query(`UPDATE vms SET updated_at = now()`);
    t.same(await take(session), [], 'what changes nothing is no event');

    await session.query(`UPDATE vms SET status = 'available', email = NULL, crd_command = NULL`);
    const released = { old_status: 'in-use', new_status: 'available', old_email: 'y' };
    t.match(await take(session), [
      { ...released, new_email: null, crd_command_changed: true, assignment_id: second },
    ]);

    await session.query('DELETE FROM vms');
    t.same(await take(session), [{ ...by, op: 'delete', hostname: 'b', old_status: 'available' }]);
  });

  t.test('the time, the version, and the truth of the transaction', async (t) => {
    const database = await createDatabase();
    const session = await openSession(t, database.config);
    await session.query(`BEGIN; INSERT INTO vms (hostname, status) VALUES ('a', 'available')`);
    t.equal(
      await session.value(`SELECT e.at = now() AND e.version = v.version FROM vm_events e, vms v`),
      't',
    );
    await session.query('ROLLBACK');
    t.same(await take(session), [], 'what was undone did not happen');
  });

  t.test('TRUNCATE is an event for every row', async (t) => {
    const database = await createDatabase();
    const session = await openSession(t, database.config);
    await session.query(`
      INSERT INTO vms (hostname, status, email, crd_command)
      VALUES ('a', 'in-use', 'x', 'secret'), ('b', 'available', NULL, NULL)`);
    const assignment = await session.value(`SELECT assignment_id FROM vms WHERE hostname = 'a'`);
    await take(session);
    await session.query('TRUNCATE vms');
    const by = { ...NOTHING, op: 'truncate', database_user: 'lablink' };
    const [a, b] = [{ hostname: 'a', old_status: 'in-use', old_email: 'x' }, { hostname: 'b' }];
    t.same(await take(session), [
      { ...by, ...a, assignment_id: assignment, crd_command_changed: true },
      { ...by, ...b, old_status: 'available' },
    ]);
  });

  t.test('who asked, while the transaction lasts', async (t) => {
    const database = await createDatabase();
    const session = await openSession(t, database.config);
    const insert = (hostname: string) =>
      session.query(`INSERT INTO vms (hostname, status) VALUES ($1, 'available')`, [hostname]);
    await session.query('BEGIN');
    await session.query(
      `SET LOCAL lablink.actor = 'admin:ada'; SET LOCAL lablink.request_id = '7'`,
    );
    await insert('a');
    await session.query('COMMIT');
    await insert('b');
    t.match(await take(session), [
      { hostname: 'a', actor: 'admin:ada', request_id: '7' },
      { hostname: 'b', actor: null, request_id: null },
    ]);
  });

  t.test('no command is kept, whichever way it came', async (t) => {
    const database = await createDatabase();
    const session = await openSession(t, database.config);
    await session.query(`
      INSERT INTO vms (hostname, status, email, crd_command) VALUES ('a', 'in-use', 'x', 'planted-1');
      UPDATE vms SET crd_command = 'planted-2';
      UPDATE vms SET status = 'failed';
      TRUNCATE vms;
      INSERT INTO vms (hostname, status, crd_command) VALUES ('a', 'in-use', 'planted-3');
      DELETE FROM vms`);
    t.equal(await session.value(`SELECT count(*) FROM vm_events`), '6');
    t.equal(
      await session.value(`SELECT count(*) FROM vm_events e WHERE e::text LIKE '%planted%'`),
      '0',
    );
  });

  t.test('columns that change while a session is at work', async (t) => {
    const database = await createDatabase();
    const [writer, admin] = [
      await openSession(t, database.config),
      await openSession(t, database.config),
    ];
    const write = async (status: string) => {
      await writer.query(`INSERT INTO vms (hostname, status) VALUES ('a', $1)`, [status]);
      await writer.query(`UPDATE vms SET email = 'x'`);
      await writer.query('DELETE FROM vms');
    };
    const kept = ['insert', 'update', 'delete'];
    await write('available');
    t.same(
      (await take(admin)).map(({ op }) => op),
      kept,
    );
    await admin.query('ALTER TABLE vms ALTER COLUMN email TYPE char(20), ADD COLUMN doc json');
    await write('available');
    t.same(
      (await take(admin)).map(({ op }) => op),
      kept,
    );
    await admin.query('ALTER TABLE vms ALTER COLUMN hostname TYPE text');
    await write('failed');
    t.match(await take(admin), [
      { op: 'insert', new_status: 'failed' },
      { op: 'update', new_email: 'x' },
      { op: 'delete', hostname: 'a' },
    ]);
  });

  t.test('what cannot be recorded is done all the same', async (t) => {
    for (const breakage of [
      'DROP TABLE vm_events',
      'ALTER TABLE vm_events DROP COLUMN actor',
      'ALTER TABLE vm_events ADD CHECK (false) NOT VALID',
      'REVOKE ALL ON vm_events FROM lablink',
    ]) {
      const database = await createDatabase();
      const session = await openSession(t, database.config);
      await session.query(breakage);
      await session.query(`INSERT INTO vms (hostname, status) VALUES ('a', 'available')`);
      await session.query(`UPDATE vms SET status = 'in-use'`);
      await session.query(`INSERT INTO vms (hostname, status) VALUES ('b', 'available')`);
      await session.query(`DELETE FROM vms WHERE hostname = 'a'`);
      t.equal(await session.value('SELECT count(*) FROM vms'), '1', breakage);
      await session.query('TRUNCATE vms');
      t.equal(await session.value('SELECT count(*) FROM vms'), '0');
    }
  });

  t.test('a replica writes the audit too', async (t) => {
    const database = await createDatabase();
    const session = await openSession(t, database.adminConfig);
    await session.query(`SET session_replication_role = replica`);
    await session.query(`INSERT INTO vms (hostname, status) VALUES ('a', 'available')`);
    await session.query('TRUNCATE vms');
    t.match(await take(session), [{ op: 'insert' }, { op: 'truncate' }]);
  });

  t.test('the role of a gateway reads events, and changes none', async (t) => {
    const database = await createDatabase();
    const admin = await openSession(t, database.adminConfig);
    const role = `gateway_${majorVersion}`;
    const readme = await readFile(new URL('../../schema/README.md', import.meta.url), 'utf8');
    const grants = /```sql\n(GRANT[^`]*)```/.exec(readme)?.[1] ?? '';
    await admin.query(`CREATE ROLE ${role}; ${grants.replaceAll('TO gateway', `TO ${role}`)}`);
    const gateway = await openSession(t, database.adminConfig);
    await gateway.query(`SET SESSION AUTHORIZATION ${role}`);
    await gateway.query(`INSERT INTO vms (hostname, status) VALUES ('a', 'available')`);
    t.match(await gateway.query('SELECT * FROM vm_events'), [
      { op: 'insert', database_user: role },
    ]);
    for (const attempt of [
      'DELETE FROM vm_events',
      `UPDATE vm_events SET actor = 'another'`,
      `INSERT INTO vm_events (op) VALUES ('insert')`,
      'TRUNCATE vm_events',
      `SELECT prune_vm_events('0')`,
      'ALTER TABLE vms DISABLE TRIGGER vm_audit_trigger',
      `SET session_replication_role = replica`,
    ]) {
      await t.rejects(gateway.query(attempt), { code: '42501' }, attempt);
    }
    t.equal(await gateway.value('SELECT count(*) FROM vm_events'), '1');
  });

  t.test('old events go in small steps, by the owner', async (t) => {
    const database = await createDatabase();
    const owner = await openSession(t, database.config);
    await owner.query(`
      INSERT INTO vm_events (at, op)
      SELECT now() - n * interval '1 day', 'insert' FROM generate_series(10, 1, -1) n`);
    const prune = (most: number) => owner.value(`SELECT prune_vm_events('4.5 days', $1)`, [most]);
    t.same([await prune(4), await prune(4), await prune(4)], ['4', '2', '0']);
    t.equal(await owner.value('SELECT count(*) FROM vm_events'), '4');
    t.equal(
      await owner.value(`SELECT bool_and(at > now() - interval '4.5 days') FROM vm_events`),
      't',
    );
  });
});
