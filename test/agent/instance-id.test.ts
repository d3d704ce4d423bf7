// The instance id, from metadata services like those of the clouds.

import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { readInstanceId } from '../../src/agent/instance-id.js';

/** Starts a service with these answers; undefined leaves a request unanswered. */
async function service(t: Test, answer: (request: IncomingMessage) => string | number | undefined) {
  const server = createServer((request, response) => {
    const given = answer(request);
    if (given === undefined) return;
    response.writeHead(typeof given === 'number' ? given : 200).end(String(given));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, timeoutMs: 60_000, attempts: 3, pauseMs: 1 };
}

t.test('ec2: with a session', async (t) => {
  const metadata = await service(t, ({ method, url, headers }) => {
    if (method === 'PUT' && url === '/latest/api/token') {
      return headers['x-aws-ec2-metadata-token-ttl-seconds'] === '60' ? 'a-session' : 400;
    }
    const isKnown = headers['x-aws-ec2-metadata-token'] === 'a-session';
    return isKnown && url === '/latest/meta-data/instance-id' ? 'i-0123456789abcdef0' : 401;
  });
  t.equal(await readInstanceId('ec2', metadata), 'i-0123456789abcdef0');
});

t.test('gce and azure: with a header that no page can set', async (t) => {
  const gce = await service(t, ({ url, headers }) =>
    headers['metadata-flavor'] === 'Google' && url === '/computeMetadata/v1/instance/id'
      ? '4520031799277581759\n'
      : 403,
  );
  t.equal(await readInstanceId('gce', gce), '4520031799277581759');
  const azure = await service(t, ({ url = '', headers }) =>
    headers.metadata === 'true' && url.startsWith('/metadata/instance/compute/vmId?')
      ? '02aab8a4-74ef-476e-8182-f6d2ba4166a6'
      : 400,
  );
  t.equal(await readInstanceId('azure', azure), '02aab8a4-74ef-476e-8182-f6d2ba4166a6');
});

t.test('the agent waits for a late service, and gives up on a silent or odd one', async (t) => {
  let asked = 0;
  const late = await service(t, () => (++asked < 3 ? 503 : 'vm-1'));
  t.equal(await readInstanceId('gce', late), 'vm-1');
  const silent = await service(t, () => undefined);
  const impatient = { ...silent, timeoutMs: 50 };
  await t.rejects(readInstanceId('gce', impatient), { name: 'AgentError', message: /gce/ });
  const odd = await service(t, () => '<html>Log in</html>');
  await t.rejects(readInstanceId('azure', odd), { name: 'AgentError' });
});
