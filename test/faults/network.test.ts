// The network between the gateway and its database: cut, reset, refused, slow, half-open, or a
// black hole that only deadlines can see. The gateway comes back without being started again, and
// leaves no session behind.

import { pino } from 'pino';
import t, { type Test } from 'tap';
import { startServer, type TestDatabase } from '../helpers/database.js';
import { startGateway, type TestGateway } from '../helpers/gateway.js';
import { gatewaySessions, untilOneListens } from '../helpers/sessions.js';
import { until } from '../helpers/until.js';
import { watch } from './checker.js';
import { startProxy, type Proxy } from './proxy.js';
import { HOSTNAMES, Writers } from './writers.js';

const server = await startServer(t);

/** A gateway behind a proxy, with clients and writers who are not. */
async function behindProxy(t: Test) {
  const database = await server.createDatabase();
  const proxy = await startProxy(t, database.config);
  const config = proxy.through(database.config);
  const gateway = await startGateway(t, database, {
    database: config,
    listenDatabase: config,
    timing: { beatDeadlineMs: 1_000 },
  });
  const writers = new Writers(t, () => database.config);
  return { database, proxy, gateway, writers };
}

/** So many at once that the pool has several connections. */
const ask = (gateway: TestGateway) =>
  Promise.all(Array.from({ length: 8 }, () => gateway.fetch('/v1/vms', 'admin')));

/**
 * Every connection that the gateway holds has a session, and every session is such a connection's.
 */
const untilNoneIsLeft = (database: TestDatabase, proxy: Proxy) =>
  until('no session is left behind', async () => (await gatewaySessions(database)) === proxy.open);

t.test('faults that pass', async (t) => {
  const { database, proxy, gateway, writers } = await behindProxy(t);
  const checker = await watch(t, gateway, HOSTNAMES);
  const faults: Readonly<Record<string, () => unknown>> = {
    'every connection is cut': () => proxy.cut(),
    'every connection is reset': () => proxy.reset(),
    'nobody answers at the address': () => proxy.refuse(),
    'a link that is slow, and thin': () => {
      proxy.delay(20);
      proxy.throttle(200_000);
    },
    'every connection is half-open': () => proxy.hang(),
    'a black hole': () => proxy.swallow(),
  };
  for (const [name, befall] of Object.entries(faults)) {
    await t.test(name, async (t) => {
      await writers.write(100);
      await checker.settled(database);
      await ask(gateway);
      const written = writers.write(400);
      await befall();
      await written;
      if (name === 'a black hole') await gateway.notReady();
      if (!name.startsWith('a link')) await proxy.heal();
      await checker.settled(database);
      await proxy.heal();
      t.same(await checker.violations(database), []);
      await untilOneListens(database);
      await untilNoneIsLeft(database, proxy);
      t.equal(checker.sockets, HOSTNAMES.length + 2, 'nobody lost a socket');
    });
  }
});

t.test('the way of the queries is lost for a while, that of LISTEN is not', async (t) => {
  const database = await server.createDatabase();
  const pooled = await startProxy(t, database.config);
  const gateway = await startGateway(t, database, { database: pooled.through(database.config) });
  const checker = await watch(t, gateway, HOSTNAMES);
  const writers = new Writers(t, () => database.config);
  await checker.settled(database);
  const pid = await untilOneListens(database);
  await pooled.refuse();
  await gateway.notReady();
  await writers.write(100);
  await pooled.heal();
  await checker.settled(database);
  t.same(await checker.violations(database), []);
  t.equal(await untilOneListens(database), pid, 'it is still the same session');
});

const metrics = async (gateway: TestGateway) => (await gateway.fetch('/metrics')).text();

t.test(
  'what the gateway asks itself is half-open: it waits for no query to time out',
  async (t) => {
    const database = await server.createDatabase();
    const [queries, listen] = [
      await startProxy(t, database.config),
      await startProxy(t, database.config),
    ];
    const logged: string[] = [];
    const gateway = await startGateway(t, database, {
      database: queries.through(database.config),
      listenDatabase: listen.through(database.config),
      // Beats alone, so the feed has one connection: what waits on it leaves the beats another,
      // which is well.
      timing: {
        checkIntervalMs: 60_000,
        beatDeadlineMs: 1_000,
        presenceWriteGapMs: 0,
        pushWriteGapMs: 0,
      },
      log: pino({ level: 'warn' }, { write: (line: string) => logged.push(line) }),
    });
    const checker = await watch(t, gateway, HOSTNAMES);
    const online = new Set(HOSTNAMES);
    const arrive = async (hostname: string): Promise<void> => {
      await gateway.connect(`/v1/vms/${encodeURIComponent(hostname)}`, 'agent', hostname);
      online.add(hostname);
    };
    const beats = async () => /round_trip_seconds_count (\d+)/.exec(await metrics(gateway))?.[1];
    for (const name of ['LISTEN is lost with it', 'LISTEN is not']) {
      await t.test(name, async () => {
        await checker.knowOnline(online);
        queries.cut();
        const before = await beats();
        await until('beats go on', async () => Number(await beats()) > Number(before) + 1);
        // Presence has a connection again, too.
        await arrive(`${name} yet`);
        await checker.knowOnline(online);
        queries.hang();
        await arrive(name);
        if (name === 'LISTEN is lost with it') listen.reset();
        await gateway.notReady();
        await database.query(`INSERT INTO vms (hostname, status) VALUES ($1, 'available')`, [name]);
        await checker.settled(database);
        await checker.knowOnline(online);
      });
    }
    const late = logged.filter((line) => line.includes('read timeout'));
    t.same(late, [], 'nothing had to wait that long');
  },
);
