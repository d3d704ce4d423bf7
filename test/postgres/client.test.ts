// A connection for one operation: it ends with the operation, and neither a connection that breaks
// nor a server that falls silent harms the process.

import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import type pg from 'pg';
import t, { type Test } from 'tap';
import { withClient } from '../../src/postgres/client.js';
import { startDatabase } from '../helpers/database.js';

const { config, adminConfig } = await startDatabase(t, { migrate: false });

t.test('the connection ends with the operation, whether it succeeds or fails', async (t) => {
  const name = { ...config, application_name: 'one operation' };
  const result = await withClient(name, (client) => client.query<{ n: number }>('SELECT 1 AS n'));
  t.same(result.rows, [{ n: 1 }]);
  await t.rejects(
    withClient(name, (client) => client.query('SELECT 1 / 0')),
    { code: '22012' },
  );
  const count = `SELECT FROM pg_stat_activity WHERE application_name = 'one operation'`;
  let open: number | null = null;
  while (open !== 0) {
    open = await withClient(config, async (client) => (await client.query(count)).rowCount);
  }
});

t.test('a connection that breaks while no query runs fails the next query only', async (t) => {
  const result = withClient(config, async (client) => {
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    const broken = new Promise((resolve) => client.once('end', resolve));
    await withClient(adminConfig, (admin) =>
      admin.query('SELECT pg_terminate_backend($1)', [rows[0]?.pid]),
    );
    await broken;
    await client.query('SELECT 1');
  });
  await t.rejects(result, Error);
});

t.test('a server that accepts connections and never answers is given up', async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const config = { host: '127.0.0.1', port, connectionTimeoutMillis: 50 };
  await t.rejects(
    withClient(config, async () => t.fail('no connection was made')),
    /timeout/,
  );
});

t.test('a server that falls silent does not delay the end for ever', async (t) => {
  const proxy = await startProxy(t, config);
  const result = await withClient({ ...config, ...proxy.address }, async (client) => {
    await client.query('SELECT 1');
    proxy.fallSilent();
    return 'done';
  });
  t.equal(result, 'done');
});

/**
 * Forwards bytes to the database until it falls silent: it then reads nothing and closes nothing.
 */
async function startProxy(t: Test, { host, port }: pg.ClientConfig) {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    const path = `${host ?? ''}/.s.PGSQL.${port ?? 5432}`;
    const upstream = host?.startsWith('/') ? connect(path) : connect(port ?? 5432, host);
    for (const end of [socket, upstream]) end.on('error', () => undefined);
    socket.pipe(upstream).pipe(socket);
    sockets.push(socket, upstream);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return {
    address: { host: '127.0.0.1', port: (server.address() as AddressInfo).port },
    fallSilent: (): void => sockets.forEach((socket) => socket.unpipe().pause()),
  };
}
