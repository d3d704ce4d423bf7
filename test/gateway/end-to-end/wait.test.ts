// Waiting over HTTP for a VM to change: the fleet answers without a database connection, and the
// wait leaves nothing behind.

import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { createApi } from '../../helpers/api.js';
import { startServer } from '../../helpers/database.js';
import { startGateway } from '../../helpers/gateway.js';
import { Hub } from '../../../src/gateway/hub/hub.js';
import { until } from '../../helpers/until.js';

const { createDatabase } = await startServer(t);

/** How many subscribers single VMs have, over all hubs in this process. */
let subscribers = 0;
/** How many subscriptions have ever begun. */
let begun = 0;
// eslint-disable-next-line @typescript-eslint/unbound-method -- called with their own hub below
const { subscribeToVm, unsubscribeFromVm } = Hub.prototype;
Hub.prototype.subscribeToVm = function (watcher) {
  subscribers++;
  begun++;
  subscribeToVm.call(this, watcher);
};
Hub.prototype.unsubscribeFromVm = function (watcher) {
  subscribers--;
  unsubscribeFromVm.call(this, watcher);
};
const waitsAreOver = () => until('no subscriber is left', () => subscribers === 0);
const watched = (count: number) => until(`${count} watch`, () => subscribers === count);

async function withVm(t: Parameters<typeof startGateway>[0]) {
  const database = await createDatabase();
  const gateway = await startGateway(t, database);
  const api = await createApi(gateway);
  const made = await api('PUT', '/v1/vms/vm-1');
  const { version } = made.json as { version: number };
  const wait = (seconds: number, from = version) =>
    api('GET', `/v1/vms/vm-1?wait=${seconds}&version=${from}`);
  // Resolves once the fleet has the row too.
  await api('GET', `/v1/vms/vm-1?wait=60&version=0`);
  return { database, gateway, api, version, wait };
}

t.test('a wait is answered with the row when the VM changes', async (t) => {
  const { api, wait } = await withVm(t);
  const waiting = wait(60);
  await watched(1);
  const changed = await api('PATCH', '/v1/vms/vm-1', { status: 'in-use', email: 'ada@x.y' });
  const answer = await waiting;
  t.same([answer.status, answer.json], [200, changed.json]);
  t.equal(answer.headers.get('etag'), changed.headers.get('etag'));
  await waitsAreOver();
});

t.test('a change from before the wait is answered at once', async (t) => {
  const { api, wait, version } = await withVm(t);
  await api('PATCH', '/v1/vms/vm-1', { status: 'failed' });
  t.match(await wait(60), { status: 200, json: { status: 'failed' } });
  t.match(await wait(60, version + 1_000), { status: 200, json: { status: 'failed' } });
});

t.test('a change of another VM answers no wait, and the timeout answers 204', async (t) => {
  const { api, wait } = await withVm(t);
  const before = begun;
  const waiting = wait(1);
  await until('it is waited for', () => begun > before);
  await api('PUT', '/v1/vms/vm-2');
  const answer = await waiting;
  t.same([answer.status, answer.text], [204, '']);
  t.equal((await wait(0)).status, 204);
  await waitsAreOver();
});

t.test('a client may wait for a VM to appear, and to disappear', async (t) => {
  const { api } = await withVm(t);
  const coming = api('GET', '/v1/vms/vm-9?wait=60');
  await watched(1);
  const made = await api('PUT', '/v1/vms/vm-9');
  t.same((await coming).json, made.json);
  const { version } = made.json as { version: number };
  const going = api('GET', `/v1/vms/vm-9?wait=60&version=${version}`);
  await watched(1);
  await api('DELETE', '/v1/vms/vm-9');
  t.match(await going, { status: 404, json: { code: 'vm_not_found' } });
  await waitsAreOver();
});

t.test('a client that disconnects ends its subscription', async (t) => {
  const { gateway, version } = await withVm(t);
  const authorization = `Bearer ${await gateway.token('agent', 'vm-1')}`;
  const leaving = new AbortController();
  const asked = fetch(`${gateway.url}/v1/vms/vm-1?wait=60&version=${version}`, {
    headers: { authorization },
    signal: leaving.signal,
  });
  await watched(1);
  leaving.abort();
  await t.rejects(asked, { name: 'AbortError' });
  await waitsAreOver();
});

t.test('a shutdown answers the waits at once', async (t) => {
  const { gateway, wait } = await withVm(t);
  const waiting = Array.from({ length: 5 }, () => wait(60));
  await watched(5);
  await gateway.app.close();
  for (const answer of await Promise.all(waiting)) {
    t.match(answer, { status: 503, json: { code: 'draining' } });
    t.equal(answer.headers.get('retry-after'), '1');
  }
  await waitsAreOver();
});

t.test('twenty waiting clients hold no database connection', async (t) => {
  const { database, api, wait } = await withVm(t);
  const waiting = Array.from({ length: 20 }, () => wait(60));
  await watched(20);
  // Twenty waits that held connections would exhaust the pool, and each would show in a transaction
  // at every look. The feed's own transactions are short, but a look may meet one.
  const looks: Set<string>[] = [];
  for (let look = 0; look < 10; look++) {
    const idle = await database.query<{ transaction: string }>(
      `SELECT pid || ' ' || xact_start AS transaction FROM pg_stat_activity
       WHERE datname = current_database() AND pid <> pg_backend_pid() AND state LIKE 'idle in%'`,
    );
    looks.push(new Set(idle.map(({ transaction }) => transaction)));
    await sleep(10);
  }
  const [first = new Set<string>(), ...later] = looks;
  t.same(
    [...first].filter((transaction) => later.every((look) => look.has(transaction))),
    [],
  );
  const others = Array.from({ length: 20 }, (_, n) => api('PUT', `/v1/vms/other-${n}`));
  for (const { status } of await Promise.all(others)) t.equal(status, 201, 'others are served');
  await api('PATCH', '/v1/vms/vm-1', { status: 'failed' });
  for (const { json } of await Promise.all(waiting)) t.match(json, { status: 'failed' });
  await waitsAreOver();
});
