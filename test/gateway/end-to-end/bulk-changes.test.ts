// Many VMs are changed with one request: each by itself, with a result and an audit entry of its
// own.

import t from 'tap';
import { startDatabase } from '../../helpers/database.js';
import { startGateway } from '../../helpers/gateway.js';
import { createApi } from '../../helpers/api.js';

interface Answer {
  readonly results: readonly { readonly hostname: string; readonly code: string | null }[];
}

t.test('many VMs with one request', async (t) => {
  const database = await startDatabase(t);
  const gateway = await startGateway(t, database);
  const api = await createApi(gateway, 'admin', 'ada');
  const change = async (body: object) => {
    const { status, json } = await api('POST', '/v1/changes', body);
    t.equal(status, 200);
    return (json as Answer).results.map(({ hostname, code }) => `${hostname} ${code ?? 'done'}`);
  };
  const readRows = async () => {
    const rows = await database.query<{ row: string }>(
      `SELECT concat_ws(' ', hostname, status, email, crd_command) AS row FROM vms ORDER BY hostname`,
    );
    return rows.map(({ row }) => row);
  };
  await database.query(`
    INSERT INTO vms (hostname, status, email, crd_command) VALUES ('vm-1', 'in-use', 'ada@x', 'one'),
      ('vm-2', 'failed', 'bob@x', 'two'), ('vm-3', 'available', NULL, NULL), ('vm-4', 'in-use', 'eve@x', 'four')`);
  const [four] = await database.query<{ version: string }>(
    `SELECT version FROM vms WHERE hostname = 'vm-4'`,
  );
  const version = Number(four?.version);

  const named = (...hostnames: string[]) => hostnames.map((hostname) => ({ hostname }));
  t.same(
    await change({
      action: 'release',
      vms: [...named('vm-1', 'vm-2', 'vm-3', 'none'), { hostname: 'vm-4', version: version + 1 }],
    }),
    ['vm-1 done', 'vm-2 done', 'vm-3 vm_not_in_use', 'none vm_not_found', 'vm-4 version_mismatch'],
  );
  t.same(await readRows(), [
    'vm-1 available',
    'vm-2 failed',
    'vm-3 available',
    'vm-4 in-use eve@x four',
  ]);
  const audit = await database.query(
    `SELECT hostname, actor FROM vm_events WHERE op = 'update' ORDER BY hostname`,
  );
  t.same(audit, [
    { hostname: 'vm-1', actor: 'admin:ada' },
    { hostname: 'vm-2', actor: 'admin:ada' },
  ]);

  t.same(await change({ action: 'command', crd_command: 'again', vms: named('vm-3', 'vm-4') }), [
    'vm-3 vm_not_in_use',
    'vm-4 done',
  ]);
  t.same(await change({ action: 'failed', vms: named('vm-3') }), ['vm-3 done']);
  t.same(await change({ action: 'available', vms: named('vm-2', 'vm-4') }), [
    'vm-2 done',
    'vm-4 done',
  ]);

  // A rule of the database refuses one VM, and stops no other.
  await database.query(`
    CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN RAISE EXCEPTION 'kept'; END $$;
    CREATE TRIGGER keep BEFORE DELETE ON vms FOR EACH ROW WHEN (OLD.hostname = 'vm-1')
      EXECUTE FUNCTION keep()`);
  t.same(await change({ action: 'delete', vms: named('vm-1', 'vm-2') }), [
    'vm-1 rejected_by_database',
    'vm-2 done',
  ]);
  t.same(await readRows(), ['vm-1 available', 'vm-3 failed', 'vm-4 available']);

  for (const body of [
    { action: 'command', vms: named('vm-1') },
    { action: 'failed', crd_command: 'x', vms: named('vm-1') },
    { action: 'failed', vms: [] },
    { action: 'failed', vms: named(...Array<string>(501).fill('vm-1')) },
  ])
    t.match(await api('POST', '/v1/changes', body), {
      status: 400,
      json: { code: 'invalid_request' },
    });
});
