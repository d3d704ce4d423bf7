// The connections of the pool use UTC, are replaced if they are lost, and are closed at the end.

import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import pg from 'pg';
import t from 'tap';
import { createPool } from '../../../src/gateway/database/pool.js';
import { startDatabase } from '../../helpers/database.js';
import { until } from '../../helpers/until.js';

const database = await startDatabase(t, { migrate: false });
const ignore = (): void => undefined;

interface PoolSession {
  readonly pid: number;
  readonly state: string;
}
const sessions = (name = 'lablink-gateway'): Promise<PoolSession[]> =>
  database.query<PoolSession>(
    'SELECT pid, state FROM pg_stat_activity WHERE application_name = $1',
    [name],
  );
const noSession = () => until('no session is left', async () => (await sessions()).length === 0);

t.test('connections use UTC, whatever the time zone of the database', async (t) => {
  await database.query(`ALTER DATABASE test_1 SET TimeZone TO 'Asia/Tokyo'`);
  const { pool, end } = createPool(database.config, 10, ignore);
  const zones = await Promise.all(
    Array.from({ length: 5 }, async () => {
      const { rows } = await pool.query<{ zone: string }>(
        `SELECT current_setting('TimeZone') AS zone, pg_sleep(0.05)`,
      );
      return rows[0]?.zone;
    }),
  );
  t.same(zones, Array(5).fill('UTC'));
  t.ok((await sessions()).length > 1, 'several connections, named');
  await end();
  await noSession();
});

t.test('connections keep values out of the log as far as their role may', async (t) => {
  const { adminConfig } = database;
  const read = async (config: pg.ClientConfig): Promise<unknown> => {
    const { pool, end } = createPool(config, 1, ignore);
    const { rows } = await pool.query(
      `SELECT current_setting('log_parameter_max_length') AS value,
         current_setting('log_parameter_max_length_on_error') AS on_error`,
    );
    await end();
    return rows[0];
  };
  const admin = new pg.Client(adminConfig);
  await admin.connect();
  t.teardown(() => admin.end());
  for (const name of ['log_parameter_max_length', 'log_parameter_max_length_on_error'])
    await admin.query(`ALTER DATABASE test_1 SET ${name} = 99`);
  t.same(await read(adminConfig), { value: '0', on_error: '0' });
  t.same(await read(database.config), { value: '99B', on_error: '0' });
});

t.test('the server notices a lost network, whatever its own settings', async (t) => {
  await database.query(`ALTER DATABASE test_1 SET tcp_keepalives_idle = 7200`);
  const { pool, end } = createPool(database.config, 1, ignore);
  const { rows } = await pool.query(
    `SELECT source FROM pg_settings WHERE name LIKE 'tcp_keepalives%'`,
  );
  t.same(rows, Array(3).fill({ source: 'session' }));
  await end();
});

t.test('a configured application name is kept', async (t) => {
  const { pool, end } = createPool({ ...database.config, application_name: 'mine' }, 10, ignore);
  await pool.query('SELECT 1');
  t.equal((await sessions('mine')).length, 1);
  await end();
});

t.test('a lost idle connection is reported and replaced', async (t) => {
  const lost: Error[] = [];
  const { pool, end } = createPool(database.config, 10, (error) => lost.push(error));
  await pool.query('SELECT 1');
  const [session] = await sessions();
  await database.query('SELECT pg_terminate_backend($1)', [session?.pid]);
  await until('it is told', () => lost.length > 0);
  t.match(lost[0], { code: '57P01' });
  await pool.query('SELECT 1');
  await end();
  await noSession();
});

t.test('a server that does not close its end of a connection keeps no socket open', async (t) => {
  const { host, port } = database.config;
  const accepted: Socket[] = [];
  const relay = createServer({ allowHalfOpen: true }, (client) => {
    accepted.push(client);
    const server = connect(`${host}/.s.PGSQL.${port}`);
    client.on('error', ignore).pipe(server).on('error', ignore).pipe(client, { end: false });
  });
  relay.listen(0, '127.0.0.1');
  await once(relay, 'listening');
  t.teardown(() => relay.close());
  const address = relay.address() as AddressInfo;
  const config = { ...database.config, host: '127.0.0.1', port: address.port };
  const { pool, discardIdle, end } = createPool(config, 1, ignore);
  await pool.query('SELECT 1');
  discardIdle();
  const [client] = accepted;
  await until('the gateway has closed its end', () => client?.readableEnded === true);
  // To a socket that is destroyed, data is an error; to one that is half open, it is not.
  await until('the socket is destroyed', () => {
    if (client?.destroyed === false) client.write('x');
    return client?.destroyed === true;
  });
  t.pass('it is destroyed');
  await end();
});

t.test('discardIdle closes idle connections only', async (t) => {
  const { pool, discardIdle, end } = createPool(database.config, 10, ignore);
  const used = await pool.connect();
  await Promise.all([pool.query('SELECT pg_sleep(0.1)'), pool.query('SELECT pg_sleep(0.1)')]);
  t.equal((await sessions()).length, 3);
  discardIdle();
  const left = await until('two are gone', async () => {
    const now = await sessions();
    return now.length === 1 && now;
  });
  const { rows } = await used.query<PoolSession>('SELECT pg_backend_pid() AS pid');
  t.match(left, [{ pid: rows[0]?.pid }]);
  used.release();
  await pool.query('SELECT 1');
  await end();
  await noSession();
});

t.test('a query whose connection is lost fails, and the process continues', async (t) => {
  const { pool, end } = createPool(database.config, 10, ignore);
  const failed = t.rejects(pool.query('SELECT pg_sleep(3600)'), { code: '57P01' });
  const active = await until('it runs', async () =>
    (await sessions()).find(({ state }) => state === 'active'),
  );
  await database.query('SELECT pg_terminate_backend($1)', [active.pid]);
  await failed;
  await end();
  await noSession();
});

t.test('the pool ends even if a server never answers', async (t) => {
  const { pool, end } = createPool(database.config, 10, ignore);
  await Promise.all([pool.query('SELECT pg_sleep(0.1)'), pool.query('SELECT pg_sleep(0.1)')]);
  const frozen = await sessions();
  t.equal(frozen.length, 2);
  for (const { pid } of frozen) process.kill(pid, 'SIGSTOP');
  const answer = pool.query('SELECT 1').then(
    () => 'answered',
    (error: unknown) => String(error),
  );
  await new Promise(setImmediate); // it is under way
  await end();
  t.match(await answer, 'Connection terminated', 'it did not wait for the deadline of the query');
  for (const { pid } of frozen) process.kill(pid, 'SIGCONT');
  await noSession();
});

t.test('an unreachable database fails the query, and the pool still ends', async (t) => {
  const { pool, end } = createPool({ ...database.config, host: '/nowhere' }, 10, ignore);
  await t.rejects(pool.query('SELECT 1'), { code: 'ENOENT' });
  await end();
  await t.rejects(pool.query('SELECT 1'), /after calling end/);
});
