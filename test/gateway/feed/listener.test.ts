// One connection that listens, opened again whatever ends it, until it is told to stop.

import { createServer, type AddressInfo, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { Listener } from '../../../src/gateway/feed/listener.js';
import type pg from 'pg';
import { startDatabase } from '../../helpers/database.js';
import { until } from '../../helpers/until.js';

const database = await startDatabase(t, { migrate: false });

/** A listener on the channel `news`, with a log of what it told. */
function listening(t: Test, config: pg.ClientConfig = database.config) {
  const told: string[] = [];
  const reasons: Error[] = [];
  const listener = new Listener({ ...config, application_name: 'listener' }, ['news'], {
    connected: () => told.push('up'),
    disconnected: (reason) => {
      told.push('down');
      reasons.push(reason);
    },
    notification: (channel, payload) => told.push(`${channel}: ${payload}`),
  });
  t.teardown(() => listener.stop());
  const untilTold = (what: string, times = 1) =>
    until(`${times} times ${what}`, () => told.filter((word) => word === what).length >= times);
  return { listener, told, reasons, untilTold };
}

const sessions = async (): Promise<number[]> => {
  const rows = await database.query<{ pid: number }>(
    `SELECT pid FROM pg_stat_activity WHERE application_name = 'listener'`,
  );
  return rows.map(({ pid }) => pid);
};

const noSession = () => until('no session is left', async () => (await sessions()).length === 0);

/** The only one, once the one before it is gone: a session that was ended is seen for a while. */
const onlySession = (): Promise<number> =>
  until('one session is there', async () => {
    const [pid, ...others] = await sessions();
    return others.length === 0 && pid;
  });

t.test('it tells that it listens, and hands on what it hears', async (t) => {
  const { listener, told, untilTold } = listening(t);
  listener.start();
  listener.start();
  await untilTold('up');
  await database.query(`SELECT pg_notify('news', 'é "1"'), pg_notify('other', 'x')`);
  await database.query(`SELECT pg_notify('news', '')`);
  await untilTold('news: ');
  t.same(told, ['up', 'news: é "1"', 'news: ']);
  t.equal((await sessions()).length, 1);
  await listener.stop();
  await noSession();
  t.equal(told.length, 3, 'an end that was asked for is not told');
});

t.test('a connection that is lost is told once, and another is opened', async (t) => {
  const { listener, told, reasons, untilTold } = listening(t);
  listener.start();
  for (let times = 1; times <= 3; times++) {
    await untilTold('up', times);
    await database.query('SELECT pg_terminate_backend($1)', [await onlySession()]);
    await untilTold('down', times);
  }
  await untilTold('up', 4);
  t.same(told, ['up', 'down', 'up', 'down', 'up', 'down', 'up']);
  t.ok(reasons.every((reason) => reason instanceof Error));
  await onlySession();
});

t.test(
  'one over which something was heard is replaced at once, however often it is lost',
  async (t) => {
    const { listener, told, untilTold } = listening(t);
    listener.start();
    // Where each loss counted as a failure, the last pauses alone would take a minute.
    for (let times = 1; times <= 40; times++) {
      await untilTold('up', times);
      await database.query(`SELECT pg_notify('news', 'x')`);
      await untilTold('news: x', times);
      await database.query('SELECT pg_terminate_backend($1)', [await onlySession()]);
      await untilTold('down', times);
    }
    await untilTold('up', 41);
    t.equal(told.filter((word) => word === 'down').length, 40);
  },
);

t.test('a connection that is given up is replaced at once', async (t) => {
  const { listener, reasons, untilTold } = listening(t);
  const reason = new Error('no heartbeat');
  listener.reconnect(reason);
  listener.start();
  await untilTold('up');
  const before = await onlySession();
  listener.reconnect(reason);
  listener.reconnect(new Error('again'));
  await untilTold('up', 2);
  t.same(reasons, [reason]);
  t.not(await onlySession(), before);
});

t.test('a connection that no longer answers is given up without its help', async (t) => {
  const { listener, untilTold } = listening(t);
  listener.start();
  await untilTold('up');
  const pid = await onlySession();
  process.kill(pid, 'SIGSTOP');
  listener.reconnect(new Error('silent'));
  await untilTold('up', 2);
  process.kill(pid, 'SIGCONT');
  await until('the old session is gone', async () => !(await sessions()).includes(pid));
});

t.test('a database that is not there is tried again until it is', async (t) => {
  const config = { ...database.config, database: 'late' };
  const { listener, told, reasons, untilTold } = listening(t, config);
  listener.start();
  await untilTold('down', 3);
  t.notOk(told.includes('up'));
  t.match(reasons[0], { message: 'cannot listen', cause: { code: '3D000' } });
  t.match(reasons[1], { message: 'cannot listen' });
});

/** A server that takes connections and says nothing. */
async function blackHole(t: Test): Promise<pg.ClientConfig> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => sockets.push(socket.resume().on('error', () => 0)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port, user: 'x' };
}

t.test('it ends in every state', async (t) => {
  const states: Readonly<Record<string, [pg.ClientConfig, string | undefined]>> = {
    'before it began': [database.config, undefined],
    listening: [database.config, 'up'],
    connecting: [database.config, 'starting'],
    'waiting for an answer': [await blackHole(t), 'starting'],
    'waiting for the next try': [{ ...database.config, database: 'none' }, 'down'],
  };
  for (const [name, [config, state]] of Object.entries(states)) {
    const { listener, told, untilTold } = listening(t, config);
    if (state !== undefined) listener.start();
    if (state === 'up' || state === 'down') await untilTold(state);
    await listener.stop();
    const words = told.length;
    await noSession();
    t.equal(told.length, words, `${name}: nothing is told after the end`);
  }
});
