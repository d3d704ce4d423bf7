// Each mendable finding of the doctor is mended by the statements that it prints, and none is left.

import { readFile } from 'node:fs/promises';
import pg from 'pg';
import t from 'tap';
import { diagnose, type DoctorOptions } from '../../../src/postgres/admin/doctor/doctor.js';
import type { FindingId } from '../../../src/postgres/admin/doctor/finding.js';
import { GRANTS } from '../../../src/postgres/admin/doctor/grants.js';
import { repair } from '../../../src/postgres/admin/repair.js';
import { formatScratchName } from '../../../src/postgres/admin/scratch-name.js';
import { runDbOn } from '../../helpers/db-command.js';
import { startServer, type TestDatabase } from '../../helpers/database.js';

const { createDatabase } = await startServer(t);

const optionsFor = ({ config }: TestDatabase): DoctorOptions => ({
  connection: config,
  queries: config,
  isRemote: false,
});
const RELEASES: readonly FindingId[] = ['server_outdated', 'server_end_of_life'];

async function ids(database: TestDatabase): Promise<FindingId[]> {
  const { findings } = await diagnose(optionsFor(database));
  return findings.map(({ id }) => id).filter((id) => !RELEASES.includes(id));
}

const BROKEN: Readonly<Record<string, readonly [FindingId, string]>> = {
  'a disabled trigger': [
    'triggers_changed',
    'ALTER TABLE vms DISABLE TRIGGER vm_stamp_trigger; ALTER TABLE vms DISABLE TRIGGER vm_update_set_trigger',
  ],
  'a trigger that fires at the wrong time': [
    'triggers_changed',
    'ALTER TABLE vms ENABLE TRIGGER vm_audit_trigger',
  ],
  'missing and replaced triggers': [
    'triggers_changed',
    `DROP TRIGGER vm_delete_trigger ON vms; DROP TRIGGER vm_update_set_trigger ON vms;
     CREATE TRIGGER vm_update_set_trigger AFTER UPDATE ON vms
     FOR EACH ROW EXECUTE FUNCTION notify_vm_changes()`,
  ],
  'replaced functions': [
    'triggers_changed',
    `CREATE OR REPLACE FUNCTION notify_vm_changes() RETURNS trigger AS $$ BEGIN
     PERFORM pg_notify('vm_updates', row_to_json(NEW)::text); RETURN NEW; END; $$ LANGUAGE plpgsql;
     ALTER FUNCTION stamp_vm() SECURITY INVOKER; ALTER FUNCTION send_vm_changes() RESET ALL`,
  ],
  'missing functions': [
    'triggers_changed',
    `DROP FUNCTION vm_text(vms); DROP FUNCTION prune_vm_events(interval, integer); DROP FUNCTION read_vms(text[])`,
  ],
  'missing indexes': ['indexes_missing', 'DROP INDEX idx_vms_email, idx_vm_events_new_email'],
  'sequences that are behind': [
    'sequence_behind',
    `INSERT INTO vms (hostname, status) VALUES ('a', 'x'), ('b', 'x');
     SELECT setval('vms_id_seq', 1), setval('vms_version_seq', 1)`,
  ],
  'functions that all may execute': [
    'functions_public',
    'GRANT EXECUTE ON FUNCTION send_vm_changes() TO PUBLIC',
  ],
  'a schema in which all may create': ['create_public', 'GRANT CREATE ON SCHEMA public TO PUBLIC'],
  'a database that all may connect to': [
    'connect_public',
    `DO $$ BEGIN EXECUTE format('GRANT CONNECT ON DATABASE %I TO PUBLIC', current_database()); END $$`,
  ],
};

t.test('what can be mended', async (t) => {
  for (const [name, [id, sql]] of Object.entries(BROKEN)) {
    const database = await createDatabase();
    await database.query(sql);
    const before = await ids(database);
    t.ok(before.includes(id), name);
    const planned = await repair(optionsFor(database), true);
    t.same(await ids(database), before, `${name}: a dry run changes nothing`);
    const { repairs } = await repair(optionsFor(database), false);
    t.same(
      repairs.filter(({ failure }) => failure !== undefined),
      [],
      name,
    );
    t.same(
      repairs.map(({ finding }) => finding.statements),
      planned.repairs.map(({ finding }) => finding.statements),
    );
    t.same(await ids(database), [], `${name}: nothing is left`);
    await database.query(`INSERT INTO vms (hostname, status) VALUES ('works', 'available')`);
    t.same(await database.query(`SELECT count(*)::int FROM vm_events WHERE hostname = 'works'`), [
      { count: 1 },
    ]);
  }
});

t.test('an invalid index is made again, while clients write', async (t) => {
  const database = await createDatabase();
  const admin = new pg.Client(database.adminConfig);
  await admin.connect();
  t.teardown(() => admin.end());
  await admin.query(
    `UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'idx_vms_status'::regclass`,
  );
  t.same(await ids(database), ['indexes_missing']);
  t.match((await repair(optionsFor(database), false)).repairs, [{ failure: undefined }]);
  t.same(await ids(database), []);
});

t.test('a role that works here keeps its connection', async (t) => {
  const database = await createDatabase();
  const admin = new pg.Client(database.adminConfig);
  await admin.connect();
  t.teardown(() => admin.end());
  await admin.query(`CREATE ROLE allocator LOGIN; GRANT SELECT ON vms TO allocator`);
  await admin.query(`GRANT CONNECT ON DATABASE ${admin.database} TO PUBLIC`);
  await repair(optionsFor(database), false);
  const allocator = new pg.Client({ ...database.config, user: 'allocator' });
  await allocator.connect();
  t.match(await allocator.query('SELECT FROM vms'), { rowCount: 0 });
  await allocator.end();
});

t.test('a copy that a killed backup left is removed', async (t) => {
  const database = await createDatabase();
  const admin = new pg.Client({ ...database.adminConfig, database: 'postgres' });
  await admin.connect();
  t.teardown(() => admin.end());
  const { rows } = await admin.query<{ oid: number }>(
    'SELECT oid FROM pg_database WHERE datname = $1',
    [database.config.database],
  );
  const name = formatScratchName(Number(rows[0]?.oid), new Date(0), '0123456789ab');
  await admin.query(`CREATE DATABASE ${name} OWNER lablink`);
  t.same(await ids(database), ['scratch_left']);
  await repair(optionsFor(database), false);
  t.same(await ids(database), []);
});

t.test('missing grants of the role of gateways are given', async (t) => {
  const database = await createDatabase();
  const admin = new pg.Client(database.adminConfig);
  await admin.connect();
  t.teardown(() => admin.end());
  await admin.query('CREATE ROLE lablink_gateway LOGIN');
  t.teardown(async () => {
    await admin.query('DROP OWNED BY lablink_gateway; DROP ROLE lablink_gateway');
  });
  t.same(await ids(database), ['grants_missing']);
  await repair(optionsFor(database), false);
  t.same(await ids(database), []);

  const file = await readFile(
    new URL('../../../deploy/postgres/grants.sql', import.meta.url),
    'utf8',
  );
  const given = [...file.matchAll(/^GRANT ([A-Z, ]+) ON (?:[A-Z]+ )?(.+) TO lablink_gateway;$/gm)];
  const listed = given.flatMap(([, rights = '', objects = '']) =>
    objects.split(', ').map((object) => `${rights} ${object}`),
  );
  t.same(
    GRANTS.map(([, object, rights]) => `${rights} ${object.replace(/\(.*/, '')}`).sort(),
    listed.sort(),
    'grants.sql says the same',
  );
});

t.test('the command says what it did, and what it could not do', async (t) => {
  const database = await createDatabase();
  await database.query('ALTER TABLE vms DISABLE TRIGGER vm_stamp_trigger');
  const dry = await runDbOn(database, ['repair', '--dry-run']);
  t.match(dry.stdout, 'triggers_changed: would be mended');
  t.match(dry.stdout, '  ALTER TABLE public.vms ENABLE ALWAYS TRIGGER vm_stamp_trigger;');
  t.match((await runDbOn(database, ['doctor'])).stdout, '"lablink-gateway db repair" mends it by:');
  const admin = new pg.Client(database.adminConfig);
  await admin.connect();
  t.teardown(() => admin.end());
  await admin.query(`CREATE ROLE reader LOGIN; GRANT CONNECT ON DATABASE ${admin.database} TO reader;
    GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader;
    GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO reader`);
  const refused = await runDbOn(database, ['repair'], 'reader');
  t.equal(refused.code, 2, refused.stderr);
  t.match(refused.stdout, 'triggers_changed: not mended: must be owner of table vms');
  const done = await runDbOn(database, ['repair']);
  t.match(done.stdout, 'triggers_changed: mended');
  t.same(await ids(database), []);
});
