// Rejections before the upgrade for reasons other than the token: with the status and the problem
// of an HTTP request, and without anything left behind.

import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { connect as connectTcp } from 'node:net';
import t from 'tap';
import { WebSocket } from 'ws';
import { startServer } from '../../helpers/database.js';
import { startGateway } from '../../helpers/gateway.js';
import { until } from '../../helpers/until.js';
import { bearer, waysToAsk } from './ask.js';

const { createDatabase } = await startServer(t);
const database = await createDatabase();
await database.query(`INSERT INTO vms (hostname, status) VALUES ('vm-1', 'available')`);
const gateway = await startGateway(t, database);
const { overHttp, byUpgrade } = waysToAsk(gateway);

t.test('an invalid request is rejected before the upgrade', async (t) => {
  const headers = bearer(await gateway.token('admin'));
  for (const [path, status, code] of [
    ['/v1/vms?cursor=', 400, 'invalid_cursor'],
    ['/v1/vms?cursor=abc', 400, 'invalid_cursor'],
    ['/v1/vms?cursor=a.01', 400, 'invalid_cursor'],
    ['/v1/vms?cursor=a.-1', 400, 'invalid_cursor'],
    ['/v1/vms?cursor=a.9999999999999999', 400, 'invalid_cursor'],
    [`/v1/vms?cursor=${'a'.repeat(65)}.1`, 400, 'invalid_cursor'],
    ['/v1/vms?cursor=a.1&cursor=a.2', 400, 'invalid_request'],
    ['/v1/vms?unknown=1', 400, 'invalid_request'],
    ['/v1/vms?limit=0', 400, 'invalid_request'],
    ['/v1/vms/%00', 400, 'invalid_hostname'],
    ['/v1/vms/%ff', 400, 'invalid_request'],
    ['/v1/vms/%', 400, 'invalid_request'],
    [`/v1/vms/${'x'.repeat(4_000)}`, 414, 'uri_too_long'],
    ['/v1/nothing', 404, 'not_found'],
    ['/assets/nothing.js', 404, 'not_found'],
  ] as const) {
    for (const ask of [overHttp, byUpgrade]) {
      const answer = await ask(path, headers);
      t.same([answer.status, answer.code], [status, code], path.slice(0, 40));
    }
  }
});

t.test(
  'a rejected upgrade leaves no socket behind, even if the client keeps its end open',
  async (t) => {
    const { hostname, port } = new URL(gateway.url);
    for (const path of ['/v1/vms', '/v1/vms/%ff', `/v1/vms/${'x'.repeat(4_000)}`, '/v1/nothing']) {
      const client = connectTcp({ host: hostname, port: Number(port), allowHalfOpen: true });
      client.write(
        `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
          'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
      );
      const answer = Buffer.concat(await client.toArray()).toString();
      t.match(answer, /^HTTP\/1\.1 4\d\d /, path.slice(0, 20));
      client.destroy();
    }
  },
);

t.test('an upgrade before the fleet is loaded is rejected with Retry-After', async (t) => {
  const waiting = await startGateway(t, database, {
    waitReady: false,
    listenDatabase: { ...database.config, database: 'there_is_none' },
  });
  const url = waiting.url.replace('http', 'ws');
  const headers = bearer(await waiting.token('admin'));
  const isRead = async () => (await waiting.fetch('/v1/vms', 'admin')).status === 200;
  await until('the revoked tokens are read', isRead);
  for (const path of ['/v1/vms', '/v1/vms/vm-1', '/v1/vms?cursor=a.1']) {
    const ws = new WebSocket(url + path, { headers });
    const [, response] = (await once(ws, 'unexpected-response')) as [unknown, IncomingMessage];
    t.equal(response.statusCode, 503);
    t.match(response.headers['retry-after'], /^\d+$/);
    ws.on('error', () => undefined).terminate();
    t.equal((await waiting.fetch(path.split('?')[0] ?? '', 'admin')).status, 200);
  }
  await until('it says why', async () => (await waiting.notReady()).includes('LISTEN'));
});
