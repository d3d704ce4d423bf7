// A gateway that stands still closes no socket: its clients notice it by the heartbeat, and are
// served by another gateway.

import t from 'tap';
import { createClient } from '../../src/client/index.js';
import { TIMING } from '../../src/gateway/timing.js';
import { reconnectDelayMs } from '../../src/client/reconnect-policy.js';
import { startProxy } from '../faults/proxy.js';
import { startDatabase } from '../helpers/database.js';
import { startGatewayProcess } from '../helpers/gateway-process.js';
import { until } from '../helpers/until.js';
import { phase } from './rows.js';

const AGENTS = Array.from({ length: 5 }, (_, n) => `vm-${n}`);
/** The slowest health check of the shipped proxies: 5 s, twice, with a timeout of 2 s. */
const HEALTH_CHECK_MS = 12_000;

t.test('clients of a gateway that is stopped are elsewhere', async (t) => {
  const database = await startDatabase(t);
  await database.query(
    `INSERT INTO vms (hostname, status) SELECT unnest($1::text[]), 'available'`,
    [AGENTS],
  );
  const env = { PING_INTERVAL_SECONDS: '1', CLIENT_TIMEOUT_SECONDS: '30' };
  const [hanging, other] = await Promise.all([
    startGatewayProcess(t, database, { env }),
    startGatewayProcess(t, database, { env }),
  ]);
  const at = (url: string) => ({ host: '127.0.0.1', port: Number(new URL(url).port) });
  const proxy = await startProxy(t, at(hanging.url));
  const { port } = proxy.through({});
  const watches = AGENTS.map((hostname) => {
    const token = (): Promise<string> => hanging.token('agent', hostname);
    const watch = createClient({ url: `http://127.0.0.1:${port}`, token }).watchVm(hostname);
    t.teardown(() => watch.close());
    return watch;
  });
  await Promise.all(watches.map((watch) => phase(watch, 'live')));

  process.kill(hanging.pid, 'SIGSTOP');
  t.teardown(() => process.kill(hanging.pid, 'SIGCONT'));
  const stoppedMs = performance.now();
  // As the health check of a proxy does: the kernel still accepts connections for the process.
  const check = fetch(`${hanging.url}/health/ready`, { signal: AbortSignal.timeout(500) });
  await t.rejects(check, { name: 'TimeoutError' });
  proxy.retarget(at(other.url));
  const lost = watches.map((watch) => phase(watch, 'reconnecting'));
  await Promise.all(lost);
  await Promise.all(watches.map((watch) => phase(watch, 'live')));
  t.comment(`elsewhere after ${Math.round(performance.now() - stoppedMs)} ms, with Pings each 1 s`);

  await database.query(`UPDATE vms SET status = 'in-use', crd_command = 'run'`);
  await until('each is sent its assignment', () =>
    watches.every(({ state }) => state?.type === 'assignment'),
  );
});

t.test('by default that takes less than 20 s', async (t) => {
  // A frame at the beginning of an interval makes it an active one: two quiet ones follow.
  const noticedMs = 3 * TIMING.pingIntervalMs;
  const pauseMs = reconnectDelayMs('soon', 0, 1);
  t.ok(noticedMs + pauseMs < 20_000, `${noticedMs + pauseMs} ms`);
  t.ok(HEALTH_CHECK_MS < noticedMs, 'by then the proxy chooses another gateway');
});
