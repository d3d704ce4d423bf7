// While a gateway ends, whoever still asks on a connection that is open is sent elsewhere, in the words of a problem.

import { once } from 'node:events';
import { Agent, request, type ClientRequest, type IncomingMessage } from 'node:http';
import t from 'tap';
import { startDatabase } from '../../helpers/database.js';
import { startGateway, type TestGateway } from '../../helpers/gateway.js';
import { until } from '../../helpers/until.js';

const database = await startDatabase(t);

/** What is tested is what is answered before the end: it is held up for so long at most. */
const timing = { closeHandshakeMs: 60_000 };

/** A request that is half sent, and so holds the end up until it is broken off. */
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

t.test('newcomers are let in until those who ask have seen that it is not ready', async (t) => {
  // Three seconds' notice for so many, of as much time as the drain may take.
  const gateway = await startGateway(t, database, { timing, drainMs: 60_000 });
  const sockets = await Promise.all(
    Array.from({ length: 300 }, () => gateway.connect('/v1/vms/vm-1', 'dashboard')),
  );
  const held = await holdUp(gateway);
  // No time passes for the drain until all of this is seen.
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
    'nobody has been told yet',
  );
  performance.now = now;
  await until('newcomers are refused', async () => {
    const { status } = await gateway.fetch('/v1/stats', 'admin');
    return status === 503;
  });
  const metrics = await (await gateway.fetch('/metrics')).text();
  t.match(metrics, /lablink_limits_exceeded_total\{reason="draining"\} [1-9]/);
  for (const { closed } of [newcomer, ...sockets]) t.match(await closed, { code: 1012 });
  held.destroy();
  await closing;
});

t.test('every URL answers that the gateway is about to end', async (t) => {
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

  held.destroy();
  await closing;
});
