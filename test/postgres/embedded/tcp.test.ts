import { readFile, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { installedBinDirs } from '../../helpers/database.js';
import { dataFolder, query, start } from './support.js';

/** Finds a port that was free a moment ago: PostgreSQL cannot choose a port itself. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new TypeError('no port');
  return address.port;
}

for (const { majorVersion, binDir } of installedBinDirs()) {
  t.test(`PostgreSQL ${majorVersion} accepts TCP connections with the password`, async (t) => {
    const dataDir = await dataFolder(t, binDir);
    const first = await start(t, { dataDir, binDir, tcpPort: await freePort() });
    const { tcp } = first;
    if (tcp === undefined) throw new TypeError('no TCP connection');
    t.match(tcp, { host: '127.0.0.1', user: 'lablink', database: 'lablink_db' });
    t.same(await query(tcp, 'SELECT 1 AS one'), [{ one: 1 }]);
    t.same(
      await query(first.connection, 'SELECT 1 AS one'),
      [{ one: 1 }],
      'the socket needs no password',
    );

    const refused = { code: '28P01' }; // invalid_password
    await t.rejects(query({ ...tcp, password: `${tcp.password}x` }, 'SELECT'), refused);
    await t.rejects(
      query({ ...tcp, user: 'postgres' }, 'SELECT'),
      refused,
      'the superuser has no password',
    );
    const admin = { ...first.connection, user: 'postgres' };
    const [stored] = await query(
      admin,
      "SELECT rolpassword FROM pg_authid WHERE rolname='lablink'",
    );
    t.match(stored, { rolpassword: /^SCRAM-SHA-256\$/ });

    t.equal((await stat(join(dataDir, 'postgres.password'))).mode & 0o777, 0o600);
    t.notMatch(await readFile(join(dataDir, 'postgres.log'), 'utf8'), tcp.password);
    await first.stop();
    const second = await start(t, { dataDir, binDir, tcpPort: await freePort() });
    t.equal(second.tcp?.password, tcp.password, 'the password stays the same');
  });
}

t.test('without a port the server does not listen on TCP', async (t) => {
  const { tcp, connection } = await start(t, { dataDir: await dataFolder(t) });
  t.equal(tcp, undefined);
  const sql = 'SELECT inet_server_addr() AS address, inet_server_port() AS port';
  t.same(await query(connection, sql), [{ address: null, port: null }]);
  t.same(await query(connection, 'SHOW listen_addresses'), [{ listen_addresses: '' }]);
});
