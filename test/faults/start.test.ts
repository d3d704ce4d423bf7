// A gateway that starts without network, or loses it while it starts or later, for longer than
// every deadline. It serves, reports that it is not ready and why, and needs no help when its
// database can be reached again.

import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import t from 'tap';
import { startDatabase } from '../helpers/database.js';
import { startGateway } from '../helpers/gateway.js';
import { gatewaySessions, untilOneListens } from '../helpers/sessions.js';
import { until } from '../helpers/until.js';
import { watch } from './checker.js';
import { startGatewayProcess } from './gateway-process.js';
import { startProxy } from './proxy.js';
import { HOSTNAMES, Writers } from './writers.js';

/** Longer than every deadline of a connection or a query. */
const BLACK_HOLE_MS = 20_000;

// All wait for deadlines.
t.jobs = 3;
const TOGETHER = { buffered: true };

t.test('a database that is unreachable for a long time at the start', TOGETHER, async (t) => {
  const database = await startDatabase(t);
  const proxy = await startProxy(t, database.config);
  proxy.swallow();
  const config = proxy.through(database.config);
  const gateway = await startGateway(t, database, {
    database: config,
    listenDatabase: config,
    waitReady: false,
  });
  // Within the deadline of the first connection.
  t.match(await gateway.notReady(), /has not been reached/);
  const writers = new Writers(t, () => database.config);
  await writers.write(100);
  t.equal((await gateway.fetch('/health/live')).status, 200);
  await sleep(BLACK_HOLE_MS);
  t.match(await gateway.notReady(), /LISTEN connection/);
  await proxy.heal();
  await gateway.ready();
  const checker = await watch(t, gateway, HOSTNAMES);
  await writers.write(100);
  await checker.settled(database);
  t.same(await checker.violations(database), []);
  await untilOneListens(database);
  await until('no session is left behind', async () => {
    return (await gatewaySessions(database)) === proxy.open;
  });
});

t.test('a database that becomes unreachable for as long later', TOGETHER, async (t) => {
  const database = await startDatabase(t);
  const proxy = await startProxy(t, database.config);
  const config = proxy.through(database.config);
  const gateway = await startGateway(t, database, { database: config, listenDatabase: config });
  const checker = await watch(t, gateway, HOSTNAMES);
  const writers = new Writers(t, () => database.config);
  await writers.write(100);
  await checker.settled(database);
  proxy.swallow();
  await writers.write(100);
  await sleep(BLACK_HOLE_MS);
  t.match(await gateway.notReady(), /LISTEN connection/);
  await proxy.heal();
  await gateway.ready();
  await checker.settled(database);
  t.same(await checker.violations(database), []);
  t.equal(checker.sockets, HOSTNAMES.length + 2, 'nobody lost a socket');
  await untilOneListens(database);
  await until('no session is left behind', async () => {
    return (await gatewaySessions(database)) === proxy.open;
  });
});

t.test(
  'a connection that falls silent while the start looks at the schema',
  TOGETHER,
  async (t) => {
    const database = await startDatabase(t);
    const proxy = await startProxy(t, database.config);
    const locker = new pg.Client(database.config);
    await locker.connect();
    t.teardown(() => locker.end());
    await locker.query('BEGIN; LOCK TABLE lablink_migrations');
    const gateway = startGatewayProcess(t, proxy.through(database.config));
    await until('it waits for the answer to a query', async () => {
      const waiting = await database.query('SELECT FROM pg_locks WHERE NOT granted');
      return waiting.length > 0;
    });
    proxy.hang();
    await locker.query('COMMIT');
    const checker = await watch(t, await gateway, HOSTNAMES);
    await new Writers(t, () => database.config).write(100);
    await checker.settled(database);
    t.same(await checker.violations(database), []);
  },
);
