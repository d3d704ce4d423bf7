// While a gateway drains, a request on an open connection gets a problem that sends the client
// elsewhere.

import { once } from 'node:events';
import { Agent, request, type ClientRequest, type IncomingMessage } from 'node:http';
import t from 'tap';
import { startDatabase } from '../../helpers/database.js';
import { startGateway, type TestGateway } from '../../helpers/gateway.js';
import { until } from '../../helpers/until.js';

const database = await startDatabase(t);

/** The test is about answers before the end, so the end is delayed for at most this long. */
const timing = { closeHandshakeMs: 60_000 };

/** Sends half of a request, which delays the end until the request is aborted. */
async function holdUp(gateway: TestGateway): Promise<ClientRequest> {
  const authorization = `Bearer ${await gateway.token('admin')}`;
  const asking = request(`${gateway.url}/v1/assignments`, {
    method: 'POST',
    headers: {
      ...{ authorization, expect: '100-continue' },
      ...{ 'content-type': 'application/json', 'content-length': 9 },
    },
  });
  asking.on('error', () => undefined).flushHeaders();
  await once(asking, 'continue');
  return asking;
}

t.test('new clients are accepted until load balancers have seen the drain', async (t) => {
  // A drain of this many sockets accepts new clients for its first three seconds.
  const gateway = await startGateway(t, database, { timing, drainMs: 60_000 });
  const sockets = await Promise.all(
    Array.from({ length: 300 }, () => gateway.connect('/v1/vms/vm-1', 'dashboard')),
  );
  const held = await holdUp(gateway);
  // The drain's clock stands still until the test has seen all answers.
  const now = performance.now.bind(performance);
  t.teardown(() => (performance.now = now));
  const stoppedMs = now();
  performance.now = () => stoppedMs;
  const closing = gateway.app.close();
  t.match(await gateway.notReady(), 'stopping');
  t.equal((await gateway.fetch('/v1/stats', 'admin')).status, 200);
  const newcomer = await gateway.connect('/v1/vms/vm-1', 'dashboard');
  t.match(await newcomer.next(), { type: 'welcome' });
  t.ok(
    sockets.every(({ ws }) => ws.readyState === ws.OPEN),
    'no client has been asked to leave yet',
  );
  performance.now = now;
  await until('new clients are rejected', async () => {
    const { status } = await gateway.fetch('/v1/stats', 'admin');
    return status === 503;
  });
  const metrics = await (await gateway.fetch('/metrics')).text();
  t.match(metrics, /lablink_limits_exceeded_total\{reason="draining"\} [1-9]/);
  for (const { closed } of [newcomer, ...sockets]) t.match(await closed, { code: 1012 });
  held.destroy();
  await closing;
});

t.test('every URL answers that the gateway is draining', async (t) => {
  const gateway = await startGateway(t, database, { timing });
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
  const held = await holdUp(gateway);
  const closing = gateway.app.close();

  await until('new clients are rejected', async () => {
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

  held.destroy();
  await closing;
});
