// Through each proxy with its file of deploy/proxy: a hostname of a VM arrives as it is, each
// client is counted by its own address, refused upgrades break no other request, and a drain closes
// sockets as it does without a proxy.

import { once } from 'node:events';
import { request as requestPlain, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as requestTls } from 'node:https';
import { networkInterfaces } from 'node:os';
import t from 'tap';
import { vmPath } from '../../src/protocol/paths.js';
import { startServer } from '../helpers/database.js';
import { startGateway } from '../helpers/gateway.js';
import { ODD_HOSTNAMES } from '../helpers/odd-hostnames.js';
import type { Proxy } from './proxies.js';
import { PROXIES } from './proxy-table.js';

const { createDatabase } = await startServer(t);
const database = await createDatabase();
const trustProxy = (_address: string, hop: number): boolean => hop < 1;
const gateway = await startGateway(t, database, { trustProxy });
const admin = { authorization: `Bearer ${await gateway.token('admin')}` };
await database.query(`INSERT INTO vms (hostname, status) SELECT unnest($1::text[]), 'available'`, [
  ODD_HOSTNAMES,
]);

const UPGRADE = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
};

/** Requests `path` once; returns the status and the code of the problem, if the answer is one. */
async function ask(proxy: Proxy, path: string, options: RequestOptions): Promise<string> {
  const request = proxy.url.startsWith('https') ? requestTls : requestPlain;
  const asked = request(proxy.url + path, { ...proxy.tls, agent: false, ...options }).end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  const text = Buffer.concat((await response.toArray()) as Buffer[]).toString();
  const { code } = JSON.parse(text.startsWith('{') ? text : '{}') as { code?: string };
  return `${response.statusCode ?? 0} ${code ?? ''}`.trim();
}

/** An address of this machine that is not loopback, which has no share of its own. */
const outside = Object.values(networkInterfaces())
  .flatMap((addresses) => addresses ?? [])
  .find(({ family, internal }) => family === 'IPv4' && !internal)?.address;

const ROUNDS = 5;
const AT_ONCE = 30;

for (const { name, start, skip } of PROXIES) {
  t.test(name, { skip }, async (t) => {
    const proxy = await start(t, [gateway.url]);

    t.test('a hostname arrives as it is', async (t) => {
      const differing: string[] = [];
      for (const hostname of ODD_HOSTNAMES) {
        const { text } = await proxy.get(vmPath(hostname), admin);
        const client = await proxy.connect(vmPath(hostname), { headers: admin });
        const { vm } = await client.nextMessage('status');
        const found = [JSON.parse(text), vm] as { hostname: string }[];
        if (!found.every((row) => row.hostname === hostname)) differing.push(hostname);
        await client.close();
      }
      t.same(differing, []);
    });

    t.test('refused upgrades break no other request', async (t) => {
      const answers = new Set<string>();
      for (let round = 0; round < ROUNDS; round++) {
        const requests = Array.from({ length: AT_ONCE }, async (_, n) => {
          if (n % 2 === 0) return `upgrade ${await ask(proxy, '/v1/vms', { headers: UPGRADE })}`;
          return `health ${await ask(proxy, '/health/live', {})}`;
        });
        for (const answer of await Promise.all(requests)) answers.add(answer);
      }
      t.same([...answers].sort(), ['health 200', 'upgrade 401 token_missing']);
    });

    const noAddress = outside === undefined && 'this machine has loopback alone';
    t.test('a client is counted by its own address', { skip: noAddress }, async (t) => {
      const limited = await startGateway(t, database, {
        trustProxy,
        socketLimits: { total: 100, perAddress: 1, perIdentity: 100 },
      });
      const own = await start(t, [limited.url]);
      const options = { headers: admin, localAddress: outside };
      await own.connect('/v1/vms', options);
      await t.rejects(own.connect('/v1/vms', options), /429/);
      await own.connect('/v1/vms', { headers: admin });
    });

    t.test('a drain closes a socket with its code', async (t) => {
      const ending = await startGateway(t, database, { trustProxy });
      const own = await start(t, [ending.url]);
      const client = await own.connect('/v1/vms', { headers: admin });
      await client.nextMessage('snapshot');
      await ending.app.close();
      t.match(await client.closed, { code: 1012, reason: 'restarting' });
      t.match(await own.get('/health/ready'), { status: /^50[234]$/ }, 'no gateway is left');
    });
  });
}
