// Changes without a notification, or with a wrong one: the checks find them.

import t, { type Test } from 'tap';
import pg from 'pg';
import { startServer } from '../../helpers/database.js';
import { startGateway } from '../../helpers/gateway.js';
import { FleetModel, VmModel } from '../../helpers/model.js';

const { createDatabase } = await startServer(t);

const NEVER_MS = 3_600_000;
const TRIGGERS = ['stamp', 'update', 'delete', 'truncate', 'audit', 'audit_truncate'].map(
  (name) => `vm_${name}_trigger`,
);
const ENABLE = TRIGGERS.map((name) => `ALTER TABLE vms ENABLE ALWAYS TRIGGER ${name};`).join('');

async function watched(t: Test, timing = {}) {
  const database = await createDatabase();
  await database.query(
    `INSERT INTO vms (hostname, status) SELECT 'vm-' || n, 'available' FROM generate_series(1, 20) n`,
  );
  const gateway = await startGateway(t, database, { timing });
  const models = [
    FleetModel.ofAdmin(await gateway.connect('/v1/vms', 'admin')),
    new VmModel(await gateway.connect('/v1/vms/vm-1', 'agent', 'vm-1'), 'vm-1'),
  ];
  const settled = async (): Promise<void> => {
    const all = Promise.all(models.map((model) => model.untilTable(database)));
    await t.resolves(all, 'every client knows the table');
  };
  await settled();
  return { database, gateway, settled };
}

t.test('a change made while the triggers were disabled, in one transaction', async (t) => {
  const { database, settled } = await watched(t);
  for (const change of [
    `UPDATE vms SET status = 'failed' WHERE hostname = 'vm-1'`,
    `DELETE FROM vms WHERE hostname = 'vm-1'`,
    `INSERT INTO vms (hostname, status) VALUES ('vm-1', 'available')`,
  ]) {
    await database.query(
      `BEGIN; ALTER TABLE vms DISABLE TRIGGER USER; ${change}; ${ENABLE} COMMIT`,
    );
    await settled();
  }
  await database.query(`UPDATE vms SET status = 'in-use'`);
  await settled();
});

t.test('changes while the triggers are disabled', async (t) => {
  const { database, settled } = await watched(t);
  await database.query('ALTER TABLE vms DISABLE TRIGGER USER');
  for (const status of ['failed', 'in-use', 'failed']) {
    await database.query('UPDATE vms SET status = $1', [status]);
    await settled();
  }
  await database.query(ENABLE);
  await database.query(`UPDATE vms SET status = 'in-use'`);
  await settled();
});

t.test('the guide’s trigger function, restored over the schema’s', async (t) => {
  const { database, settled } = await watched(t);
  await database.query(`
    CREATE OR REPLACE FUNCTION notify_vm_changes()
    RETURNS trigger AS $$
    BEGIN
      PERFORM pg_notify('vm_updates', row_to_json(NEW)::text);
      RETURN NEW;
    END;
    $$ LANGUAGE plpgsql;`);
  await database.query(`UPDATE vms SET status = 'failed' WHERE hostname = 'vm-1'`);
  await settled();
  await database.query(`DELETE FROM vms WHERE hostname = 'vm-1'`);
  await settled();
});

t.test('a trigger that was dropped', async (t) => {
  const { database, settled } = await watched(t);
  await database.query('DROP TRIGGER vm_update_trigger ON vms');
  await database.query(`UPDATE vms SET status = 'failed'`);
  await settled();
});

t.test('session_replication_role = replica does not hide a change', async (t) => {
  const { database, settled } = await watched(t, { checkIntervalMs: NEVER_MS });
  const client = new pg.Client(database.adminConfig);
  await client.connect();
  await client.query('SET session_replication_role = replica');
  await client.query(`UPDATE vms SET status = 'failed' WHERE hostname = 'vm-1'`);
  await settled();
  await client.query(`DELETE FROM vms WHERE hostname = 'vm-1'`);
  await settled();
  await client.end();
});

t.test('TRUNCATE RESTART IDENTITY, then the same hostnames again', async (t) => {
  const { database, settled } = await watched(t, { checkIntervalMs: NEVER_MS });
  for (let again = 0; again < 3; again++) {
    await database.query('TRUNCATE TABLE vms RESTART IDENTITY');
    await settled();
    await database.query(`INSERT INTO vms (hostname, status) VALUES ('vm-1', 'available')`);
    await database.query(`UPDATE vms SET status = 'in-use'`);
    await settled();
  }
});

t.test('a rewritten history: older rows, and versions issued a second time', async (t) => {
  const { database, settled } = await watched(t);
  await database.query(`UPDATE vms SET email = 'a@b.c'`);
  await settled();
  await database.query(
    `BEGIN; ALTER TABLE vms DISABLE TRIGGER USER;
     UPDATE vms SET version = id, email = NULL, status = 'failed';
     SELECT setval('vms_version_seq', 20); ${ENABLE} COMMIT`,
  );
  await database.query(`UPDATE vms SET status = 'in-use' WHERE hostname = 'vm-1'`);
  await settled();
  await database.query(`DELETE FROM vms WHERE hostname = 'vm-1'`);
  await database.query(`INSERT INTO vms (hostname, status) VALUES ('vm-1', 'available')`);
  await settled();
});

t.test('the whole table is read periodically, whatever the checks say', async (t) => {
  const { database, settled } = await watched(t, { fullReadIntervalMs: 500 });
  const client = new pg.Client(database.adminConfig);
  await client.connect();
  // A forged row with the next version of the real row: count and versions agree once the real
  // change has come.
  const [row] = await database.query<{ version: string }>(
    `SELECT version FROM vms WHERE hostname = 'vm-1'`,
  );
  const version = Number(row?.version) + 20;
  await database.query(`SELECT pg_notify('vm_updates', $1)`, [
    JSON.stringify({ id: 1, hostname: 'vm-1', status: 'forged', version }),
  ]);
  await client.query('SET session_replication_role = replica');
  await client.query(
    `BEGIN; SELECT setval('vms_version_seq', ${version - 1});
     UPDATE vms SET status = 'failed' WHERE hostname = 'vm-1'; COMMIT`,
  );
  await client.end();
  await settled();
});
