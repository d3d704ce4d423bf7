// While a gateway ends, whoever still asks on a connection that is open is sent elsewhere, in the words of a problem.

import { once } from 'node:events';
import { Agent, request, type IncomingMessage } from 'node:http';
import t from 'tap';
import { startDatabase } from '../helpers/database.js';
import { startGateway } from '../helpers/gateway.js';
import { clientEnd } from '../helpers/sockets.js';
import { until } from '../helpers/until.js';

const database = await startDatabase(t);

t.test('every URL answers that the gateway is about to end', async (t) => {
  // Long: what is tested is what is answered before it is over.
  const gateway = await startGateway(t, database, { timing: { goodbyeMs: 60_000 } });
  const authorization = `Bearer ${await gateway.token('admin')}`;
  const connection = new Agent({ keepAlive: true, maxSockets: 4 });
  t.teardown(() => connection.destroy());
  const ask = async (path: string): Promise<IncomingMessage> => {
    const asking = request(gateway.url + path, { agent: connection, headers: { authorization } });
    asking.end();
    const [response] = (await once(asking, 'response')) as [IncomingMessage];
    return response;
  };
  (await ask('/v1/stats')).resume();
  const socket = await gateway.connect('/v1/vms', 'admin');
  clientEnd(socket.ws).pause(); // It says no goodbye, and so holds the end up.
  const closing = gateway.app.close();

  await until('newcomers are refused', async () => {
    const response = await ask('/v1/stats');
    response.resume();
    return response.statusCode === 503;
  });
  for (const path of ['/v1/stats', '/v1/vms/vm-1?wait=60', '/health/ready', '/docs/json']) {
    const response = await ask(path);
    const body = Buffer.concat((await response.toArray()) as Buffer[]).toString();
    t.match(JSON.parse(body), { status: 503, code: 'draining' }, path);
    t.equal(response.statusCode, 503);
    t.match(response.headers, {
      'content-type': /^application\/problem\+json/,
      'retry-after': '1',
      connection: 'close',
    });
  }
  t.equal((await ask('/health/live')).statusCode, 200, 'the process lives');
  await t.rejects(gateway.connect('/v1/vms', 'admin'), /server response: 503/);

  clientEnd(socket.ws).destroy();
  await closing;
});
