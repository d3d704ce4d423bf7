// Requests that wait for a lock of another session delay no other request.

import t from 'tap';
import { startDatabase } from '../../helpers/database.js';
import { startGateway } from '../../helpers/gateway.js';

const database = await startDatabase(t);
await database.query(
  `INSERT INTO vms (hostname, status) SELECT 'vm-' || n, 'available' FROM generate_series(1, 20) n`,
);

t.test('locked rows neither make the feed stale nor delay other changes', async (t) => {
  const gateway = await startGateway(t, database);
  const dashboard = await gateway.connect('/v1/vms', 'dashboard');
  const bystander = await gateway.connect('/v1/vms/vm-20', 'agent', 'vm-20');
  const agents = await Promise.all(
    Array.from({ length: 10 }, (_, n) =>
      gateway.connect(`/v1/vms/vm-${n + 1}`, 'agent', `vm-${n + 1}`),
    ),
  );
  const holder = await database.pool.connect();
  t.teardown(() => holder.release(true));
  await holder.query(`BEGIN; SELECT FROM vms WHERE hostname <> 'vm-20' FOR UPDATE`);
  for (const agent of agents) {
    for (let n = 0; n < 3; n++) agent.send({ type: 'status', status: 'failed' });
  }
  const refused = agents.map((agent) => agent.nextMessage('error'));
  await database.query(`UPDATE vms SET email = 'x' WHERE hostname = 'vm-20'`);
  await bystander.next(({ vm }) => JSON.stringify(vm ?? '').includes('"email":"x"'));

  for (const error of await Promise.all(refused)) t.match(error, { code: 'unavailable' });
  await database.query(`UPDATE vms SET email = 'y' WHERE hostname = 'vm-20'`);
  await bystander.next(({ vm }) => JSON.stringify(vm ?? '').includes('"email":"y"'));
  t.same(
    dashboard.messages.filter(({ type }) => type === 'feed'),
    [],
    'the feed stayed live',
  );
  await holder.query('ROLLBACK');
});
