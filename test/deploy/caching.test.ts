// No cache keeps what the gateway says of its state: Varnish with its built-in rules, which caches
// whatever a response does not forbid, keeps only the files of the dashboard.

import { readdirSync } from 'node:fs';
import t from 'tap';
import { startDatabase } from '../helpers/database.js';
import { startGateway } from '../helpers/gateway.js';
import { lacking, makeSecrets } from './deployed.js';
import { startVarnish, startVarnishWith } from './start-proxies.js';
import type { Proxy } from './proxies.js';

const FOLDER = 'dist/dashboard/assets';

/** `X-Varnish` names a second request if that one filled the cache. */
async function isCached(proxy: Proxy, path: string, headers = {}): Promise<boolean> {
  await proxy.get(path, headers);
  const answer = await proxy.get(path, headers);
  return String(answer.headers['x-varnish']).includes(' ');
}

t.test('Varnish', { skip: lacking('/usr/sbin/varnishd', '-V') }, async (t) => {
  const database = await startDatabase(t);
  await database.query(`INSERT INTO vms (hostname, status) VALUES ('vm-1', 'available')`);
  const gateway = await startGateway(t, database);
  const admin = { authorization: `Bearer ${await gateway.token('admin')}` };
  const { hostname, port } = new URL(gateway.url);
  const plain = `vcl 4.1; backend default { .host = "${hostname}"; .port = "${port}"; }`;
  const proxies = {
    'with its built-in rules': await startVarnishWith(t, plain, await makeSecrets(t)),
    'with the file of deploy/proxy': await startVarnish(t, [gateway.url]),
  };
  for (const [name, proxy] of Object.entries(proxies)) {
    t.test(name, async (t) => {
      const [asset = ''] = readdirSync(FOLDER);
      t.ok(await isCached(proxy, `/assets/${asset}`), 'a file with a hash in its name is cached');
      const paths = [
        '/health/live',
        '/health/ready',
        '/',
        '/docs/json',
        '/v1/none',
        '/assets/none',
      ];
      for (const path of paths) t.notOk(await isCached(proxy, path), path);
      for (const path of [
        '/v1/vms',
        '/v1/vms/vm-1',
        '/v1/vms/vm-2',
        '/v1/events',
        '/v1/capacity',
      ]) {
        t.notOk(await isCached(proxy, path), `${path} without a token`);
        t.notOk(await isCached(proxy, path, admin), `${path} with a token`);
      }
    });
  }
});
