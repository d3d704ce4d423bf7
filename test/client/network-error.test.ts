// Why a gateway cannot be reached, as Node's own `fetch` and the system report it.

import { createServer as createTlsServer } from 'node:https';
import { execFileSync } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { createClient } from '../../src/client/index.js';
import { describeNetworkError } from '../../src/client/network-error.js';
import { freePort } from '../helpers/free-port.js';
import { scratchFolder } from '../helpers/scratch-folder.js';
import { phase } from './rows.js';

t.test('a port on which no process listens', async (t) => {
  const url = `http://127.0.0.1:${await freePort()}`;
  const watch = createClient({ url, token: 't' }).watchVm('vm-1');
  t.teardown(() => watch.close());
  const { reason, cause } = await phase(watch, 'reconnecting');
  t.match(reason, /^the gateway cannot be reached: no process listens there \(.*ECONNREFUSED/);
  t.ok(cause instanceof Error, 'the error itself is at hand');
});

t.test('a certificate that is not trusted', async (t) => {
  const folder = await scratchFolder();
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const [key, cert] = ['key.pem', 'cert.pem'].map((name) => join(folder, name)) as [string, string];
  const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=localhost'];
  execFileSync('openssl', [...request, '-keyout', key, '-out', cert], { stdio: 'ignore' });
  const server = createTlsServer({ key: await readFile(key), cert: await readFile(cert) });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  t.teardown(() => server.close());
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const watch = createClient({ url, token: 't' }).watchVm('vm-1');
  t.teardown(() => watch.close());
  const { reason } = await phase(watch, 'reconnecting');
  t.match(reason, /its TLS certificate is not trusted \(.*DEPTH_ZERO_SELF_SIGNED_CERT/);
});

t.test('each error of the system is named', (t) => {
  const failed = (code: string, message: string): Error =>
    new TypeError('fetch failed', { cause: Object.assign(new Error(message), { code }) });
  for (const [code, expected] of [
    ['ENOTFOUND', 'its host name is not found in DNS (why)'],
    ['EAI_AGAIN', 'its host name is not found in DNS (why)'],
    ['UND_ERR_CONNECT_TIMEOUT', 'it does not answer in time (why)'],
    ['CERT_HAS_EXPIRED', 'its TLS certificate is not trusted (why, CERT_HAS_EXPIRED)'],
    ['ECONNRESET', 'why (ECONNRESET)'],
  ] as const) {
    t.equal(
      describeNetworkError(failed(code, 'why')),
      `the gateway cannot be reached: ${expected}`,
      code,
    );
  }
  const refused = Object.assign(new Error('both'), { code: 'ECONNREFUSED' });
  t.match(describeNetworkError(new AggregateError([refused])), /no process listens there/);
  t.equal(describeNetworkError('odd'), 'the gateway cannot be reached: odd');
  t.end();
});
