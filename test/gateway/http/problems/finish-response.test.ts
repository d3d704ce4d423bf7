// What is done to a response just before it is sent. The rest of a rejected request's body is not
// read: its connection is closed, whatever the client goes on to send.

import { once } from 'node:events';
import t from 'tap';
import { pino } from 'pino';
import { createServer } from '../../../../src/gateway/http/server.js';
import { openRaw } from '../../../helpers/raw-http.js';

const server = createServer(pino({ level: 'silent' }), false);
t.teardown(() => server.close());
server.post(
  '/refused',
  { onRequest: async (_, reply) => reply.code(401).send('no') },
  async () => 'ok',
);
server.post('/read', async () => 'ok');
const url = await server.listen({ host: '127.0.0.1', port: 0 });

const post = (path: string, headers: string): string =>
  `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n${headers}\r\n\r\n`;

t.test('the connection of a refused request ends before its body does', async (t) => {
  for (const [headers, part] of [
    ['Content-Length: 1000000000', 'x'.repeat(10_000)],
    ['Transfer-Encoding: chunked', `2710\r\n${'x'.repeat(10_000)}\r\n`],
  ] as const) {
    const { socket, received } = openRaw(url);
    socket.write(post('/refused', headers) + part);
    const sending = setInterval(() => socket.write(part), 10);
    t.teardown(() => clearInterval(sending));
    await new Promise((resolve) => socket.once('close', resolve));
    t.match(received(), /^HTTP\/1\.1 401 [^]*\r\nconnection: close\r\n/i, headers);
  }
});

t.test('the connection of a request whose body was read is kept', async (t) => {
  const { socket, received } = openRaw(url);
  t.teardown(() => socket.destroy());
  for (const path of ['/read', '/read']) {
    socket.write(`${post(path, 'Content-Length: 2')}{}`);
    await once(socket, 'data');
  }
  t.equal(received().split('HTTP/1.1 200').length - 1, 2);
  t.notMatch(received(), /connection: close/i);
});
