// A gateway that is killed while the table is written, and started again: its clients come back,
// resume where they can, and end at the table; its sessions are gone.

import t from 'tap';
import { startDatabase } from '../helpers/database.js';
import { gatewaySessions, untilOneListens } from '../helpers/sessions.js';
import { until } from '../helpers/until.js';
import { watch } from './checker.js';
import { startGatewayProcess } from './gateway-process.js';
import { startProxy } from './proxy.js';
import { HOSTNAMES, Writers } from './writers.js';

const CLIENTS = HOSTNAMES.length + 2;

t.test('a gateway that is killed', async (t) => {
  const database = await startDatabase(t);
  const writers = new Writers(t, () => database.config);
  await writers.write(200);
  const gateway = await startGatewayProcess(t, database.config);
  const checker = await watch(t, gateway, HOSTNAMES);
  await checker.settled(database);

  // More rows than there were: where the clients' cursors stand, the next process has something
  // else.
  await gateway.kill();
  await writers.write(200);
  await database.query(
    `INSERT INTO vms (hostname, status) SELECT 'new-' || n, 'available' FROM generate_series(1, 50) n`,
  );
  await gateway.start();
  await checker.settled(database);

  await writers.during(async () => {
    await gateway.kill();
    await until('no session is left', async () => (await gatewaySessions(database)) === 0);
    await gateway.start();
  });
  await checker.settled(database);
  t.same(await checker.violations(database), []);
  t.equal(checker.sockets, 3 * CLIENTS, 'everyone came back, twice');
  await untilOneListens(database);
});

t.test('a gateway that is started in a black hole', async (t) => {
  const database = await startDatabase(t, { migrate: false });
  const proxy = await startProxy(t, database.config);
  proxy.swallow();
  const gateway = startGatewayProcess(t, proxy.through(database.config));
  await until('it tries', () => proxy.open > 0);
  await until('it tries again', () => proxy.open === 0);
  await proxy.heal();
  const checker = await watch(t, await gateway, HOSTNAMES);
  await new Writers(t, () => database.config).write(100);
  await checker.settled(database);
  t.same(await checker.violations(database), []);
});
