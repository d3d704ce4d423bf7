// `healthcheck` as a process, like in a container: it prints one line, and sets an exit code.

import { once } from 'node:events';
import { createServer } from 'node:http';
import t, { type Test } from 'tap';
import { startDatabase } from '../helpers/database.js';
import { startGateway } from '../helpers/gateway.js';
import { runCommand, temporaryFolder } from '../helpers/process.js';

async function check(t: Test, port: string | number, ...args: string[]) {
  const env = { PORT: String(port), DATA_DIR: await temporaryFolder(t) };
  const program = runCommand(t, ['healthcheck', ...args], env);
  const { code } = await program.exited;
  return { code, stdout: program.stdout, stderr: program.stderr };
}

t.test('a ready gateway is healthy', async (t) => {
  const { url } = await startGateway(t, await startDatabase(t));
  const { port } = new URL(url);
  t.same(await check(t, port), { code: 0, stdout: 'ready\n', stderr: '' });
  t.same(await check(t, port, '--live'), { code: 0, stdout: 'live\n', stderr: '' });
  t.match(await check(t, 1, '--url', `${url}/`), { code: 0, stdout: 'ready\n' });
});

t.test('a gateway that waits for its database is alive but not ready', async (t) => {
  const database = await startDatabase(t);
  const { url } = await startGateway(t, database, {
    waitReady: false,
    listenDatabase: { ...database.config, database: 'there_is_none' },
  });
  const { port } = new URL(url);
  const { code, stdout, stderr } = await check(t, port);
  t.same([code, stdout], [1, '']);
  t.match(stderr, /^[^\n]*database[^\n]*\n$/, 'why, in one line');
  t.match(await check(t, port, '--live'), { code: 0 });
});

t.test('no server, or a server that is not a gateway, is unhealthy', async (t) => {
  const other = createServer((_request, response) => response.end('"hello"')).listen(
    0,
    '127.0.0.1',
  );
  await once(other, 'listening');
  const address = other.address();
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  t.match(await check(t, port), { code: 1, stderr: /^http:\S+ is not a gateway\n$/ });
  other.close();
  await once(other, 'close');
  t.match(await check(t, port), {
    code: 1,
    stderr: /^http:\S+ does not answer: .*ECONNREFUSED.*\n$/,
  });
});
