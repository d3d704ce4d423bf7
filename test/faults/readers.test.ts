// Clients who read nothing, or a byte a second, and one who talks without end, under a flood of
// changes: the gateway keeps no more than their share for them, goes on reading its notifications,
// serves the others, and closes the stuck.

import t from 'tap';
import { startDatabase, type TestDatabase } from '../helpers/database.js';
import { startGateway, type TestGateway } from '../helpers/gateway.js';
import { until } from '../helpers/until.js';
import { readBytewise, readNothing, talkEndlessly } from './bad-readers.js';
import { watch } from './checker.js';
import { queueUsage } from './stuck-listeners.js';

const VMS = 500;
/** Each is half a megabyte to who sees all VMs. Sockets of the system's own hold a few. */
const BURSTS = 40;
const STUCK = 4;
/** A share of 256 KiB, what was handed over as it was filled, and the frames of WebSocket. */
const MOST_UNSENT_BYTES = STUCK * 512 * 1024;

async function metric(gateway: TestGateway, name: string): Promise<number> {
  const text = await (await gateway.fetch('/metrics')).text();
  const lines = text.split('\n').filter((line) => line.startsWith(name));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}

/** How many sessions have something pending, because their clients have not confirmed enough. */
async function countLagging(gateway: TestGateway): Promise<number> {
  const text = await (await gateway.fetch('/metrics')).text();
  const lines = text.match(/^lablink_sessions\{.*"lagging".*$/gm) ?? [];
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}

const burst = (database: TestDatabase): Promise<unknown> =>
  database.query(`UPDATE vms SET crd_command = repeat(md5(random()::text), 24)`);

t.test('bad readers', async (t) => {
  const database = await startDatabase(t);
  await database.query(
    `INSERT INTO vms (hostname, status) SELECT 'vm-' || n, 'in-use' FROM generate_series(1, $1::int) n`,
    [VMS],
  );
  const gateway = await startGateway(t, database, {
    timing: { pingIntervalMs: 1_500, clientTimeoutMs: 3_000 },
  });
  const checker = await watch(t, gateway, ['vm-1', 'vm-2']);
  const token = await gateway.token('admin', 'bad');
  const stuck = { url: gateway.url, path: '/v1/vms', token };
  for (let n = 0; n < STUCK / 2; n++) {
    await readNothing(t, stuck);
    await readBytewise(t, stuck);
  }
  talkEndlessly(t, {
    ...{ url: gateway.url, path: '/v1/vms/talker' },
    token: await gateway.token('agent', 'talker'),
  });

  let mostUnsent = 0;
  let mostLagging = 0;
  for (let n = 0; n < BURSTS; n++) {
    await burst(database);
    mostUnsent = Math.max(mostUnsent, await metric(gateway, 'lablink_unsent_bytes'));
    mostLagging = Math.max(mostLagging, await countLagging(gateway));
  }
  await until('it has taken all of its notifications', async () => !(await queueUsage(database)));
  await checker.settled(database);
  t.ok(mostUnsent > 0, 'somebody was stuck');
  t.ok(mostLagging >= STUCK, 'the stuck lag');
  t.ok(mostUnsent <= MOST_UNSENT_BYTES, `${mostUnsent} bytes were unsent at most`);

  await until('the stuck are closed for it', async () => {
    await burst(database);
    const code4408 = 'lablink_sessions_closed_total{by="gateway",code="4408"}';
    return (await metric(gateway, code4408)) >= STUCK;
  });
  const refused = 'lablink_limits_exceeded_total{reason="too_many_messages"}';
  await until('who talks is turned away', async () => (await metric(gateway, refused)) > 1);
  await checker.settled(database);
  t.same(await checker.violations(database), []);
});
