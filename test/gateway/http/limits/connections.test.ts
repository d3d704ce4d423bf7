// If the limit is reached, the connection that has been idle for longest is closed, and never one
// with a running request.

import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { Connections } from '../../../../src/gateway/http/limits/connections.js';
import type { RejectionReason } from '../../../../src/gateway/session/limits.js';
import { until } from '../../../helpers/until.js';

const REQUEST = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';

/** Starts a server with this limit, whose responses the test triggers. */
async function listening(t: Test, max: number) {
  const refusals: RejectionReason[] = [];
  const asked: ServerResponse[] = [];
  const server = createServer((_request, response) => asked.push(response));
  const connections = new Connections(server, max, (reason) => refusals.push(reason));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  t.teardown(() => {
    connections.end();
    server.close();
  });
  /** Opens a connection, and waits until the server has accepted it. */
  const open = async (): Promise<Socket> => {
    const seen = once(server, 'connection');
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined).resume();
    await seen;
    return socket;
  };
  /** Opens a connection whose request is running. */
  const ask = async (): Promise<Socket> => {
    const socket = await open();
    const seen = asked.length;
    socket.write(REQUEST);
    await until('the request has come', () => asked.length > seen);
    return socket;
  };
  return { server, connections, refusals, asked, open, ask };
}

const gone = (socket: Socket): Promise<true> => until('it is gone', () => socket.closed);

t.test('closes the connection that has been idle for longest', async (t) => {
  const { open, ask, refusals } = await listening(t, 2);
  const [first, second] = [await open(), await open()];
  const third = await ask();
  await gone(first);
  t.notOk(second.closed || third.closed);
  await open();
  await gone(second);
  t.same(refusals, ['too_many_connections', 'too_many_connections']);
});

t.test('keeps a connection with a running request, and closes the new one', async (t) => {
  const { open, ask } = await listening(t, 2);
  const busy = [await ask(), await ask()];
  await gone(await open());
  for (const socket of busy) t.notOk(socket.closed);
});

t.test('keeps a connection that is upgraded or requests an upgrade', async (t) => {
  const { server, open } = await listening(t, 1);
  server.on('upgrade', () => undefined);
  const upgrading = await open();
  const seen = once(server, 'upgrade');
  upgrading.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  await seen;
  await gone(await open());
  t.notOk(upgrading.closed);
});

t.test('a connection is idle again after its response', async (t) => {
  const { connections, asked, open, ask } = await listening(t, 1);
  const kept = await ask();
  t.ok(connections.busy);
  asked[0]?.end();
  await until('it is answered', () => !connections.busy);
  t.notOk(kept.closed);
  await open();
  await gone(kept);
});

t.test('a failed accept closes an idle connection', async (t) => {
  const { server, open } = await listening(t, 9);
  const waiting = await open();
  server.emit('error', new Error('EMFILE'));
  await gone(waiting);
});

t.test('the end closes all connections, and later ones too', async (t) => {
  const { connections, open, ask } = await listening(t, 9);
  const all = [await open(), await ask()];
  connections.end();
  for (const socket of all) await gone(socket);
  await gone(await open());
  t.notOk(connections.busy);
});
