// `HOST=localhost` serves both loopback addresses with the same limits, metrics and drain.

import { networkInterfaces } from 'node:os';
import t from 'tap';
import { startDatabase } from '../../helpers/database.js';
import { startGateway } from '../../helpers/gateway.js';
import { connect } from '../../helpers/raw-client.js';

const hasIpv6 = Object.values(networkInterfaces())
  .flat()
  .some((face) => face?.address === '::1');
const skip = hasIpv6 ? false : 'this machine has no ::1';

t.test('both loopback addresses are one server', { skip }, async (t) => {
  const database = await startDatabase(t);
  const gateway = await startGateway(t, database, {
    host: 'localhost',
    socketLimits: { total: 2, perAddress: 2, perIdentity: 2 },
  });
  const { port } = new URL(gateway.url);
  const origins = [`127.0.0.1:${port}`, `[::1]:${port}`];
  const authorization = `Bearer ${await gateway.token('dashboard')}`;
  const open = (origin: string | undefined) =>
    connect(`ws://${origin}/v1/vms`, [], { headers: { authorization } });
  const clients = await Promise.all(origins.map(open));
  for (const client of clients) await client.nextMessage('snapshot');
  for (const origin of origins) {
    t.equal((await fetch(`http://${origin}/health/ready`)).status, 200, origin);
    await t.rejects(open(origin), { message: /503|429/ }, `no third socket at ${origin}`);
    const metrics = await (await fetch(`http://${origin}/metrics`)).text();
    t.match(metrics, /^lablink_sessions\{.*\} 2$/m, 'each counts both sockets');
  }
  const closing = gateway.app.close();
  t.same(
    (await Promise.all(clients.map(({ closed }) => closed))).map(({ code }) => code),
    [1012, 1012],
  );
  await closing;
  for (const origin of origins) await t.rejects(fetch(`http://${origin}/health/live`));
});
