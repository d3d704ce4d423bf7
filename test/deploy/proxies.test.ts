// The real nginx, HAProxy, Apache httpd, Caddy and Varnish with the files of deploy/proxy. Only the
// heartbeat keeps a socket open beyond their timeouts. A client's own forwarding headers are not
// trusted, and the metrics stay inside.

import t from 'tap';
import { startServer } from '../helpers/database.js';
import { openEventStream } from '../helpers/event-stream.js';
import { startGateway } from '../helpers/gateway.js';
import { until } from '../helpers/until.js';
import { deployed } from './deployed.js';
import { PROXIES, TIMEOUT_MS } from './proxy-table.js';

const { createDatabase } = await startServer(t);

const PING_MS = 2_000;
/** The state of a socket after one and a half timeouts. */
const PINGS = (1.5 * TIMEOUT_MS) / PING_MS;
/** A wait over HTTP lasts at most this long; see http/wait.ts. */
const LONGEST_WAIT_MS = 60_000;

t.test('a socket outlives the timeouts, by the heartbeat alone', (t) => {
  t.jobs = PROXIES.length; // Each waits, and does little.
  for (const { name, start, timeouts, skip: lacks } of PROXIES) {
    const skip = lacks === false ? timeouts === undefined && 'it has no idle timeout' : lacks;
    t.test(name, { skip, buffered: true }, async (t) => {
      const database = await createDatabase();
      const trusting = { trustProxy: (_address: string, hop: number) => hop < 1 };
      const beating = await startGateway(t, database, {
        ...trusting,
        timing: { pingIntervalMs: PING_MS },
      });
      const silent = await startGateway(t, database, {
        ...trusting,
        timing: { pingIntervalMs: 3_600_000 },
      });
      const proxies = await Promise.all(
        [beating, silent].map(({ url }) => start(t, [url], timeouts)),
      );
      const headers = { authorization: `Bearer ${await beating.token('agent', 'vm-1')}` };
      const [kept, control] = await Promise.all(
        proxies.map((proxy) => proxy.connect('/v1/vms/vm-1', { headers })),
      );
      if (kept === undefined || control === undefined) throw new Error('no sockets');
      const pinged = new Promise<void>((resolve) => {
        let pings = 0;
        kept.ws.on('ping', () => ++pings === PINGS && resolve());
      });
      await control.closed;
      await pinged;
      await database.query(
        `INSERT INTO vms (hostname, status, crd_command) VALUES ('vm-1', 'in-use', 'run')`,
      );
      t.match(await kept.nextMessage('assignment'), { vm: { crd_command: 'run' } });
      t.equal(kept.ws.readyState, kept.ws.OPEN);
    });
  }
  t.end();
});

for (const { name, start, file, skip, limits } of PROXIES) {
  t.test(`${name}: an event stream arrives unbuffered, and to the end`, { skip }, async (t) => {
    const database = await createDatabase();
    const gateway = await startGateway(t, database, {
      trustProxy: (_address, hop) => hop < 1,
      timing: { pingIntervalMs: 100 },
    });
    const proxy = await start(t, [gateway.url]);
    const authorization = `Bearer ${await gateway.token('agent', 'vm-1')}`;
    const stream = await openEventStream(`${proxy.url}/v1/vms/vm-1`, { authorization }, proxy.tls);
    await stream.nextMessage('absent');
    await until('comments come', () => stream.comments > 2);
    await database.query(
      `INSERT INTO vms (hostname, status, crd_command) VALUES ('vm-1', 'in-use', 'run')`,
    );
    t.match(await stream.nextMessage('assignment'), { vm: { crd_command: 'run' } });
    await gateway.app.close();
    await stream.ended;
    t.same(stream.close, { code: 1012, reason: 'restarting' });
  });

  t.test(`${name}: its timeouts are over the heartbeat and the longest wait`, async (t) => {
    const database = await createDatabase();
    const gateway = await startGateway(t, database);
    const agent = await gateway.connect('/v1/vms/vm-1', 'agent', 'vm-1');
    const heartbeatMs = Number((await agent.nextMessage('welcome')).heartbeat_ms);
    const found = [...(await deployed(file)).matchAll(limits.pattern)];
    t.equal(found.length, limits.count, 'the file has timeouts');
    for (const [line, seconds] of found) {
      t.ok(Number(seconds) * 1_000 > Math.max(2 * heartbeatMs, LONGEST_WAIT_MS), line);
    }
  });

  t.test(`${name}: what a client says of itself is not believed`, { skip }, async (t) => {
    const database = await createDatabase();
    const gateway = await startGateway(t, database, {
      trustProxy: (_address, hop) => hop < 1,
      socketLimits: { total: 100, perAddress: 1, perIdentity: 100 },
    });
    const proxy = await start(t, [gateway.url]);
    const authorization = `Bearer ${await gateway.token('admin')}`;
    // Loopback, which it is, has no share of sockets; the address that it names would have one.
    const lying = { authorization, 'x-forwarded-for': '192.0.2.1' };
    for (let n = 0; n < 3; n++) await proxy.connect('/v1/vms', { headers: lying });
    await gateway.connect('/v1/vms', 'admin', 'tester', { 'x-forwarded-for': '192.0.2.1' });
    await t.rejects(
      gateway.connect('/v1/vms', 'admin', 'tester', { 'x-forwarded-for': '192.0.2.1' }),
      /429/,
      'the gateway would have believed it',
    );

    const own = { authorization, origin: proxy.url };
    await proxy.connect('/v1/vms', { headers: own });
    await t.rejects(
      proxy.connect('/v1/vms', {
        headers: { ...own, origin: 'https://evil.example', 'x-forwarded-host': 'evil.example' },
      }),
      /403/,
      'another site is another site, whatever host it names',
    );
  });

  t.test(`${name}: the metrics stay inside, whatever they are called`, { skip }, async (t) => {
    const database = await createDatabase();
    const gateway = await startGateway(t, database, { trustProxy: (_address, hop) => hop < 1 });
    const proxy = await start(t, [gateway.url]);
    const authorization = `Bearer ${await gateway.token('admin')}`;
    for (const path of ['/metrics', '/metrics?x', '/%6detrics', '//metrics', '/x/../metrics']) {
      t.match(await proxy.get(path), { status: /^40[014]$/ }, path);
    }
    t.match(await proxy.get('/metrics', { authorization }), { status: 404 });
    t.match(await proxy.get('/health/ready'), {
      status: 200,
      headers: { 'strict-transport-security': 'max-age=31536000' },
    });
  });
}
