// A LISTEN connection from its opening to its one loss, with nothing left in the database.

import t from 'tap';
import { openListenConnection } from '../../../src/gateway/feed/listen-connection.js';
import { startDatabase } from '../../helpers/database.js';
import { until } from '../../helpers/until.js';

const database = await startDatabase(t, { migrate: false });
const config = { ...database.config, application_name: 'connection' };
const { signal: never } = new AbortController();
const ignore = (): void => undefined;

const noSession = () =>
  until('no session is left', async () => {
    const sessions = await database.query(
      `SELECT FROM pg_stat_activity WHERE application_name = 'connection'`,
    );
    return sessions.length === 0;
  });

t.test('it receives notifications of exactly its channels', async (t) => {
  const received: string[] = [];
  const channels = ['plain', 'With "quotes" and spaces', 'é'];
  const connection = await openListenConnection(
    config,
    channels,
    (channel, payload) => received.push(`${channel}=${payload}`),
    never,
  );
  for (const channel of [...channels, 'plain2']) {
    await database.query(`SELECT pg_notify($1, 'x')`, [channel]);
  }
  await until('all is received', () => received.length === channels.length);
  t.same(
    received,
    channels.map((channel) => `${channel}=x`),
  );
  connection.drop(new Error('enough'));
  await noSession();
});

t.test('it is lost once, for the first reason', async (t) => {
  const connection = await openListenConnection(config, ['a'], ignore, never);
  const reason = new Error('the first');
  connection.drop(reason);
  connection.drop(new Error('the second'));
  t.equal(await connection.lost, reason);
  await noSession();

  const killed = await openListenConnection(config, ['a'], ignore, never);
  await database.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'connection'`,
  );
  t.match(await killed.lost, /./);
  killed.drop(reason);
  await noSession();
});

t.test('a connection that cannot be opened is reported, and leaves nothing behind', async (t) => {
  await t.rejects(
    openListenConnection({ ...config, database: 'there_is_none' }, ['a'], ignore, never),
    { code: '3D000' },
  );
  await t.rejects(openListenConnection({ ...config, host: '/nowhere' }, ['a'], ignore, never), {
    code: 'ENOENT',
  });
  await t.rejects(openListenConnection(config, [''], ignore, never), /zero-length/);
  await noSession();
});

t.test('an attempt can be aborted', async (t) => {
  const controller = new AbortController();
  const opening = openListenConnection(config, ['a', 'b'], ignore, controller.signal);
  controller.abort();
  await t.rejects(opening);
  await noSession();
});
