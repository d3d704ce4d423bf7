// Another server takes over: the queries and LISTEN end up on different ones, or a standby is
// promoted that had not yet received the last commits. Everyone ends at the table of the one that
// is there now.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import t from 'tap';
import { installedBinDirs, startServer } from '../helpers/database.js';
import { startGateway } from '../helpers/gateway.js';
import { readTable } from '../helpers/model.js';
import { untilOneListens } from '../helpers/sessions.js';
import { until } from '../helpers/until.js';
import { watch } from './checker.js';
import { startProxy } from './proxy.js';
import { kill } from './server-faults.js';
import { startStandby } from './standby.js';
import { HOSTNAMES, Writers } from './writers.js';

t.test('a pool and a listener that end up on different servers', async (t) => {
  const [before, after] = await Promise.all([startServer(t), startServer(t)]);
  const [database, other] = [await before.createDatabase(), await after.createDatabase()];
  const [pooled, direct] = [
    await startProxy(t, database.config),
    await startProxy(t, database.config),
  ];
  const gateway = await startGateway(t, database, {
    database: pooled.through(database.config),
    listenDatabase: direct.through(database.config),
    timing: { beatDeadlineMs: 1_000 },
  });
  const checker = await watch(t, gateway, HOSTNAMES);
  await new Writers(t, () => database.config).write(100);
  await checker.settled(database);
  await checker.remember(database);

  direct.retarget(other.config);
  direct.cut();
  await until('it is told what is wrong', async () =>
    (await gateway.notReady()).includes('did not reach the listener'),
  );

  const writers = new Writers(t, () => other.config);
  await writers.write(100);
  // The old server still takes queries, and the pool's connections are never idle for long.
  pooled.retarget(other.config);
  await gateway.ready();
  await checker.settled(other);
  checker.forgive();
  await writers.write(100);
  await checker.settled(other);
  t.same(await checker.violations(other), []);
  await untilOneListens(other);
});

t.test('an address that leads to another server while the first one stays up', async (t) => {
  const [before, after] = await Promise.all([startServer(t), startServer(t)]);
  const [database, other] = [await before.createDatabase(), await after.createDatabase()];
  const address = await startProxy(t, database.config);
  const config = address.through(database.config);
  const gateway = await startGateway(t, database, { database: config, listenDatabase: config });
  const checker = await watch(t, gateway, HOSTNAMES);
  await new Writers(t, () => database.config).write(100);
  await checker.settled(database);
  await checker.remember(database);

  // No connection is lost: only new ones lead to the other server.
  address.retarget(other.config);
  t.match(await gateway.notReady(), 'led to another server');
  await gateway.ready();
  await checker.settled(other);
  checker.forgive();
  await new Writers(t, () => other.config).write(100);
  await checker.settled(other);
  t.same(await checker.violations(other), []);
  await untilOneListens(other);
  await until('no session is left on the first server', async () => {
    const left = await database.query(
      `SELECT FROM pg_stat_activity WHERE application_name LIKE 'lablink-gateway%'`,
    );
    return left.length === 0;
  });
});

t.test('a request that reaches another server than LISTEN changes nothing there', async (t) => {
  const [before, after] = await Promise.all([startServer(t), startServer(t)]);
  const [database, other] = [await before.createDatabase(), await after.createDatabase()];
  for (const server of [database, other])
    await server.query(`INSERT INTO vms (hostname, status) VALUES ('vm-1', 'available')`);
  const address = await startProxy(t, database.config);
  const gateway = await startGateway(t, database, {
    database: address.through(database.config),
    listenDatabase: database.config,
    // Only the request itself can notice it.
    timing: { checkIntervalMs: 3_600_000 },
  });
  address.retarget(other.config);
  // The list of revoked tokens was read on a connection that the request could use again.
  address.cut();
  const response = await fetch(`${gateway.url}/v1/vms/vm-1`, {
    method: 'PATCH',
    headers: {
      authorization: `Bearer ${await gateway.token('admin')}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify({ status: 'failed' }),
  });
  t.equal(response.status, 503);
  t.same(await other.query('SELECT status FROM vms'), [{ status: 'available' }]);
});

const tools = installedBinDirs().find(({ binDir }) => existsSync(join(binDir, 'pg_basebackup')));
const noTools = tools === undefined && 'there is no pg_basebackup';

t.test('a standby is promoted that lacks the last commits', { skip: noTools }, async (t) => {
  const { binDir } = tools ?? { binDir: '' };
  const server = await startServer(t, { binDir });
  const database = await server.createDatabase();
  const standby = await startStandby(t, database, binDir);
  const address = await startProxy(t, database.config);
  const config = address.through(database.config);
  const gateway = await startGateway(t, database, {
    database: config,
    listenDatabase: config,
    timing: { beatDeadlineMs: 1_000 },
  });
  const checker = await watch(t, gateway, HOSTNAMES);
  const before = new Writers(t, () => database.config);
  await before.write(200);
  await until('the standby has it all', async () =>
    isDeepStrictEqual(await readTable(standby), await readTable(database)),
  );
  await standby.replication.refuse();
  await before.write(200);
  await database.query(`INSERT INTO vms (hostname, status) VALUES ('lost', 'in-use')`);
  await checker.settled(database);
  await checker.remember(database);

  await kill(database);
  address.retarget(standby.config);
  address.cut();
  // As long as it is a standby it takes neither LISTEN nor a heartbeat.
  await until('it says so', async () => (await gateway.notReady()).includes('LISTEN connection'));
  await standby.promote();
  await gateway.ready();
  await checker.settled(standby);
  t.notOk((await readTable(standby)).has('lost'), 'commits were lost');
  checker.forgive();
  await new Writers(t, () => standby.config).write(400);
  await checker.settled(standby);
  t.same(await checker.violations(standby), []);
  await untilOneListens(standby);
  t.equal(checker.sockets, HOSTNAMES.length + 2, 'nobody lost a socket');
});

t.test('a server that is killed forgets what it had not written to disk', async (t) => {
  const server = await startServer(t, {
    settings: {
      synchronous_commit: 'off',
      wal_writer_delay: '10s',
      wal_writer_flush_after: '1GB',
    },
  });
  const database = await server.createDatabase();
  const gateway = await startGateway(t, database);
  const checker = await watch(t, gateway, HOSTNAMES);
  const writers = new Writers(t, () => database.config);
  await writers.write(200);
  let isLost = false;
  // The server may write at any moment what it is allowed to put off.
  for (let attempt = 1; attempt <= 5 && !isLost; attempt++) {
    const hostname = `lost-${attempt}`;
    await database.query(`INSERT INTO vms (hostname, status) VALUES ($1, 'in-use')`, [hostname]);
    await checker.settled(database);
    await checker.remember(database);
    await kill(database);
    await server.start();
    await gateway.ready();
    await checker.settled(database);
    isLost = !(await readTable(database)).has(hostname);
  }
  t.ok(isLost, 'commits were lost');
  checker.forgive();
  await writers.write(400);
  await checker.settled(database);
  t.same(await checker.violations(database), []);
  await untilOneListens(database);
  t.equal(checker.sockets, HOSTNAMES.length + 2, 'nobody lost a socket');
});
