// Every client of the database may notify on any channel with any payload. A forged payload harms
// no client, and every socket ends at the state of the table.

import t, { type Test } from 'tap';
import { startServer } from '../../helpers/database.js';
import type { Timing } from '../../../src/gateway/timing.js';
import { startGateway } from '../../helpers/gateway.js';
import { FleetModel, VmModel } from '../../helpers/model.js';
import { until } from '../../helpers/until.js';

const { createDatabase } = await startServer(t);

/**
 * A database with one row, its gateway and clients; `settled` waits until all clients know the
 * table.
 */
async function watched(t: Test, timing: Partial<Timing> = {}) {
  const database = await createDatabase();
  await database.query(`INSERT INTO vms (hostname, status) VALUES ('vm-1', 'available')`);
  const gateway = await startGateway(t, database, { timing });
  const models = [
    FleetModel.ofAdmin(await gateway.connect('/v1/vms', 'admin')),
    FleetModel.ofDashboard(await gateway.connect('/v1/vms', 'dashboard')),
    new VmModel(await gateway.connect('/v1/vms/vm-1', 'agent', 'vm-1'), 'vm-1'),
  ] as const;
  const settled = () => Promise.all(models.map((model) => model.untilTable(database)));
  await settled();
  const [welcome] = models[0].client.messages;
  const heartbeatChannel = `lablink_gateway_${String(welcome?.gateway)}`;
  const notify = (channel: string, payload: string) =>
    database.query('SELECT pg_notify($1, $2)', [channel, payload]);
  return { database, gateway, models, settled, notify, heartbeatChannel };
}

const LISTENING = `
  SELECT pid FROM pg_stat_activity
  WHERE application_name LIKE '%listen' AND datname = current_database()`;

const row = (fields: object): string =>
  JSON.stringify({ hostname: 'vm-1', version: 1, status: 'failed', ...fields });

const NONSENSE = [
  '',
  ' ',
  'not JSON',
  '{"hostname":"vm-1"',
  'null',
  'true',
  '1',
  '"vm-1"',
  '[]',
  '[{"hostname":"vm-1","version":1,"status":"failed"}]',
  '{}',
  '['.repeat(7_000),
  '{"a":'.repeat(1_000) + '1' + '}'.repeat(1_000),
  '{"__proto__":{"hostname":"vm-1","version":99,"status":"failed"}}',
  '{"op":"read","hostname":null}',
  '{"op":"read","hostname":["vm-1"]}',
  '{"op":"delete","hostname":"vm-1"}',
  '{"op":"read","hostname":"nobody"}',
  '{"op":"read","hostname":"vm-1"}',
  '{"op":"read","hostname":"\\u0000"}',
  '{"op":"read","hostname":"vm-1\\u0000"}',
  '{"op":"read","hostname":"\\ud800"}',
  `{"op":"read","hostname":"${'x'.repeat(7_000)}"}`,
  row({ hostname: undefined }),
  row({ hostname: 5 }),
  row({ hostname: 'vm-1\0' }),
  row({ version: undefined }),
  row({ version: null }),
  row({ version: '99' }),
  row({ version: -1 }),
  row({ version: 1.5 }),
  row({ version: 1 }).replace(':1', ':1e400'),
  row({ version: 1 }).replace(':1', ':9007199254740992'),
  row({ status: undefined }),
  row({ status: 5 }),
];

t.test(
  'nonsense on any channel is not trusted, and the rows it names are read again',
  async (t) => {
    const { database, models, settled, notify, heartbeatChannel } = await watched(t, {
      checkIntervalMs: 3_600_000,
    });
    const told = models.map(({ client }) => client.messages.length);
    const listening = await database.query(LISTENING);
    for (const channel of ['vm_updates', 'vm_changes', heartbeatChannel]) {
      for (const payload of NONSENSE) await notify(channel, payload);
    }
    await settled();
    for (const [n, { client }] of models.entries()) {
      const since = JSON.stringify(client.messages.slice(told[n]));
      t.notMatch(since, /"vm":/, 'nobody was told of a row');
    }
    await database.query(`UPDATE vms SET crd_command = repeat('x', 9000)`);
    await settled();
    await database.query('DELETE FROM vms');
    await settled();
    t.same(await database.query(LISTENING), listening, 'the connection goes on');
  },
);

t.test('the next check corrects rows that were never written', async (t) => {
  const { models, settled, notify } = await watched(t);
  const [admin, , agent] = models;
  await notify('vm_updates', row({ version: 1_000_000, status: 'in-use', crd_command: 'evil' }));
  await notify('vm_updates', row({ version: 5, hostname: 'nobody' }));
  await notify('vm_updates', row({ version: 5, hostname: '__proto__' }));
  await until('the forged rows were sent', () =>
    admin.client.messages.some((message) => JSON.stringify(message).includes('nobody')),
  );
  await settled();
  t.match(agent.vm, { status: 'available' });
  t.same([...admin.rows.keys()], ['vm-1']);
});

t.test('a forged version does not hide later changes', async (t) => {
  const { database, models, settled, notify } = await watched(t, { checkIntervalMs: 3_600_000 });
  const [, , agent] = models;
  await notify('vm_updates', row({ version: Number.MAX_SAFE_INTEGER }));
  await agent.client.nextMessage('status');
  await agent.client.next(({ vm }) => (vm as { status: string }).status === 'failed');
  await database.query(`UPDATE vms SET status = 'in-use'`);
  await settled();
  t.match(agent.vm, { status: 'in-use' });
});

t.test('a forged heartbeat verifies nothing and breaks nothing', async (t) => {
  const { database, gateway, settled, notify, heartbeatChannel } = await watched(t);
  for (let beat = 0; beat < 200; beat++) await notify(heartbeatChannel, String(beat));
  await database.query(`UPDATE vms SET email = 'a@b.c'`);
  await settled();
  await gateway.ready();
});

t.test('the gateway survives a flood of forged notifications', async (t) => {
  const { database, gateway, settled } = await watched(t);
  await database.query(
    `SELECT pg_notify('vm_changes', '{"op":"read","hostname":"vm-' || n || '"}') FROM generate_series(1, 20000) n`,
  );
  await database.query(
    `SELECT pg_notify('vm_changes', '{"op":"read"}') FROM generate_series(1, 1000)`,
  );
  await database.query(`UPDATE vms SET email = 'a@b.c'`);
  await settled();
  t.equal((await gateway.fetch('/health/live')).status, 200);
});
