// SIGTERM in any state of the gateway: every connected client is asked to come back, and the
// process ends with 0.

import t from 'tap';
import { startServer } from '../../helpers/database.js';
import { listeningAt, spawnGateway, startGatewayProcess } from '../../helpers/gateway-process.js';
import { connect, type RawClient } from '../../helpers/raw-client.js';

const server = await startServer(t);
const IN_ORDER = { code: 0, signal: null };

t.test('during its start', async (t) => {
  const database = await server.createDatabase();
  const nowhere = { ...database, config: { ...database.config, database: 'there_is_none' } };
  const waiting = spawnGateway(t, nowhere);
  await waiting.until(({ stderr }) => stderr.includes('waiting for the database'));
  waiting.child.kill('SIGTERM');
  t.same(await waiting.exited, IN_ORDER, 'while it waits for its database');

  const starting = spawnGateway(t, database);
  await starting.until(listeningAt);
  starting.child.kill('SIGTERM');
  t.same(await starting.exited, IN_ORDER, 'as soon as it listens');
});

t.test('while the feed is stale', async (t) => {
  const other = await startServer(t);
  const gateway = await startGatewayProcess(t, await other.createDatabase());
  const client = await gateway.connect('/v1/vms', 'admin');
  await other.stop();
  await client.nextMessage('feed');
  gateway.program.child.kill('SIGTERM');
  t.match(await client.closed, { code: 1012 });
  t.same(await gateway.program.exited, IN_ORDER);
  await other.start();
});

t.test('during the drain of the gateway that its clients come from', async (t) => {
  const database = await server.createDatabase();
  const first = await startGatewayProcess(t, database);
  const second = await startGatewayProcess(t, database);
  const clients = await Promise.all(
    Array.from({ length: 50 }, (_, n) => first.connect(`/v1/vms/vm-${n}`, 'agent', `vm-${n}`)),
  );
  const movedOn: RawClient[] = [];
  const refused: unknown[] = [];
  const moving = clients.map(async (client, n) => {
    t.match(await client.closed, { code: 1012 });
    const headers = { authorization: `Bearer ${await second.token('agent', `vm-${n}`)}` };
    const url = `${second.url.replace('http', 'ws')}/v1/vms/vm-${n}`;
    await connect(url, [], { headers }).then(
      (moved) => movedOn.push(moved),
      (error: unknown) => refused.push(error),
    );
  });
  first.program.child.kill('SIGTERM');
  await Promise.any(moving);
  second.program.child.kill('SIGTERM');
  await Promise.all(moving);
  t.same(await first.program.exited, IN_ORDER);
  t.same(await second.program.exited, IN_ORDER);
  for (const moved of movedOn) t.match(await moved.closed, { code: 1012 });
  // A client that came after the gateway had stopped listening was never accepted.
  for (const error of refused) t.match(error, /503|ECONNREFUSED|ECONNRESET|socket hang up/);
  t.equal(movedOn.length + refused.length, clients.length);
});
