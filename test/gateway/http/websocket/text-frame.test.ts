// ws reads the frames that are encoded without it.

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { WebSocket, WebSocketServer } from 'ws';
import { encodeTextFrame } from '../../../../src/gateway/http/websocket/text-frame.js';

const LENGTHS = [0, 1, 125, 126, 127, 65_535, 65_536, 70_000];

t.test('ws reads messages of every encoding of length', async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  const sockets = new WebSocketServer({ noServer: true });
  server.on('upgrade', (request, tcp, head) =>
    sockets.handleUpgrade(request, tcp, head, (ws) => {
      for (const length of LENGTHS) tcp.write(encodeTextFrame('x'.repeat(length)));
      tcp.write(encodeTextFrame(Buffer.from('é😀')));
      ws.close();
    }),
  );
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const client = new WebSocket(`ws://127.0.0.1:${port}`);
  const read: string[] = [];
  client.on('message', (data: Buffer, isBinary) => {
    t.notOk(isBinary);
    read.push(data.toString());
  });
  t.equal((await once(client, 'close'))[0], 1005, 'nothing was wrong');
  t.strictSame(
    read.map((text) => text.length),
    [...LENGTHS, 3],
  );
  t.equal(read.at(-1), 'é😀');
});

t.test('a message for several sockets is encoded once', async (t) => {
  const message = Buffer.from('{}');
  t.equal(encodeTextFrame(message), encodeTextFrame(message));
  t.strictSame(encodeTextFrame(message), encodeTextFrame('{}'));
});
