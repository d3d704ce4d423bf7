// A method that a URL does not support is rejected with the list of those it supports, for every
// method that Node parses.

import { once } from 'node:events';
import { METHODS, request, type IncomingMessage } from 'node:http';
import t from 'tap';
import { startDatabase } from '../../helpers/database.js';
import { startGateway } from '../../helpers/gateway.js';
import { listOperations, type OpenApi } from './operations.js';

const gateway = await startGateway(t, await startDatabase(t), {
  allowedOrigins: ['https://lab.example'],
});
const operations = listOperations((await gateway.app.describe()) as OpenApi);

async function ask(method: string, path: string): Promise<{ status: number; allow: string }> {
  const asking = request(gateway.url + path, { method, agent: false });
  asking.end();
  const [response] = (await once(asking, 'response')) as [IncomingMessage];
  response.resume();
  return { status: response.statusCode ?? 0, allow: response.headers.allow ?? '' };
}

/** The methods of every URL, including those that the document leaves out. */
const known = new Map([
  ['/docs', ['GET', 'HEAD']],
  ['/docs/json', ['GET', 'HEAD']],
]);
for (const { method, path } of operations) {
  const methods = known.get(path) ?? [];
  known.set(path, [...methods, ...(method === 'GET' ? ['GET', 'HEAD'] : [method])]);
}

for (const [path, methods] of known) {
  t.test(path, async (t) => {
    // CONNECT has no URL. Browsers send OPTIONS as a preflight, and every URL answers it.
    const others = METHODS.filter(
      (method) => !methods.includes(method) && method !== 'CONNECT' && method !== 'OPTIONS',
    );
    t.ok(others.includes('TRACE') && others.includes('PROPFIND'));
    const allow = methods.toSorted().join(', ');
    for (const method of others) t.same(await ask(method, path), { status: 405, allow }, method);
    t.equal((await ask('OPTIONS', path)).status, 204);
  });
}

t.test('an unknown URL stays unknown for every method', async (t) => {
  for (const method of ['GET', 'TRACE', 'PROPFIND'])
    t.same(await ask(method, '/nothing'), { status: 404, allow: '' }, method);
});
