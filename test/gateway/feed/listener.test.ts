// A connection that listens is opened again, whatever ends it, until the listener is stopped.

import { createServer, type AddressInfo, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { Listener } from '../../../src/gateway/feed/listener.js';
import type pg from 'pg';
import { startDatabase } from '../../helpers/database.js';
import { until } from '../../helpers/until.js';

const database = await startDatabase(t, { migrate: false });

/** A listener on the channel `news`, with a log of its events. */
function listening(t: Test, config: pg.ClientConfig = database.config) {
  const events: string[] = [];
  const reasons: Error[] = [];
  const listener = new Listener({ ...config, application_name: 'listener' }, ['news'], {
    connected: () => events.push('up'),
    disconnected: (reason) => {
      events.push('down');
      reasons.push(reason);
    },
    notification: (channel, payload) => events.push(`${channel}: ${payload}`),
  });
  t.teardown(() => listener.stop());
  const untilEvent = (what: string, times = 1) =>
    until(`${times} times ${what}`, () => events.filter((word) => word === what).length >= times);
  return { listener, events, reasons, untilEvent };
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

t.test('it reports that it listens, and passes notifications on', async (t) => {
  const { listener, events, untilEvent } = listening(t);
  listener.start();
  listener.start();
  await untilEvent('up');
  await database.query(`SELECT pg_notify('news', 'é "1"'), pg_notify('other', 'x')`);
  await database.query(`SELECT pg_notify('news', '')`);
  await untilEvent('news: ');
  t.same(events, ['up', 'news: é "1"', 'news: ']);
  t.equal((await sessions()).length, 1);
  await listener.stop();
  await noSession();
  t.equal(events.length, 3, 'a stop is not reported as a loss');
});

t.test('a lost connection is reported once, and another is opened', async (t) => {
  const { listener, events, reasons, untilEvent } = listening(t);
  listener.start();
  for (let times = 1; times <= 3; times++) {
    await untilEvent('up', times);
    await database.query('SELECT pg_terminate_backend($1)', [await onlySession()]);
    await untilEvent('down', times);
  }
  await untilEvent('up', 4);
  t.same(events, ['up', 'down', 'up', 'down', 'up', 'down', 'up']);
  t.ok(reasons.every((reason) => reason instanceof Error));
  await onlySession();
});

t.test(
  'a connection that delivered a notification is replaced at once, however often it is lost',
  async (t) => {
    const { listener, events, untilEvent } = listening(t);
    listener.start();
    // If each loss counted as a failure, the last pauses alone would take a minute.
    for (let times = 1; times <= 40; times++) {
      await untilEvent('up', times);
      await database.query(`SELECT pg_notify('news', 'x')`);
      await untilEvent('news: x', times);
      await database.query('SELECT pg_terminate_backend($1)', [await onlySession()]);
      await untilEvent('down', times);
    }
    await untilEvent('up', 41);
    t.equal(events.filter((word) => word === 'down').length, 40);
  },
);

t.test('a dropped connection is replaced at once', async (t) => {
  const { listener, reasons, untilEvent } = listening(t);
  const reason = new Error('no heartbeat');
  listener.reconnect(reason);
  listener.start();
  await untilEvent('up');
  const before = await onlySession();
  listener.reconnect(reason);
  listener.reconnect(new Error('again'));
  await untilEvent('up', 2);
  t.same(reasons, [reason]);
  t.not(await onlySession(), before);
});

t.test('a connection that no longer answers is dropped without its help', async (t) => {
  const { listener, untilEvent } = listening(t);
  listener.start();
  await untilEvent('up');
  const pid = await onlySession();
  process.kill(pid, 'SIGSTOP');
  listener.reconnect(new Error('silent'));
  await untilEvent('up', 2);
  process.kill(pid, 'SIGCONT');
  await until('the old session is gone', async () => !(await sessions()).includes(pid));
});

t.test('a database that does not exist is tried again until it does', async (t) => {
  const config = { ...database.config, database: 'late' };
  const { listener, events, reasons, untilEvent } = listening(t, config);
  listener.start();
  await untilEvent('down', 3);
  t.notOk(events.includes('up'));
  t.match(reasons[0], { message: 'cannot listen', cause: { code: '3D000' } });
  t.match(reasons[1], { message: 'cannot listen' });
});

/** A server that accepts connections and sends nothing. */
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

t.test('it stops in every state', async (t) => {
  const states: Readonly<Record<string, [pg.ClientConfig, string | undefined]>> = {
    'before it began': [database.config, undefined],
    listening: [database.config, 'up'],
    connecting: [database.config, 'starting'],
    'waiting for an answer': [await blackHole(t), 'starting'],
    'waiting for the next try': [{ ...database.config, database: 'none' }, 'down'],
  };
  for (const [name, [config, state]] of Object.entries(states)) {
    const { listener, events, untilEvent } = listening(t, config);
    if (state !== undefined) listener.start();
    if (state === 'up' || state === 'down') await untilEvent(state);
    await listener.stop();
    const words = events.length;
    await noSession();
    t.equal(events.length, words, `${name}: no event after the end`);
  }
});
