// The real nginx and HAProxy with the files of deploy/proxy. Only the heartbeat keeps a socket open
// beyond their timeouts. A client's own forwarding headers are not trusted, and the metrics stay
// inside.

import t from 'tap';
import { startServer } from '../helpers/database.js';
import { openEventStream } from '../helpers/event-stream.js';
import { startGateway } from '../helpers/gateway.js';
import { until } from '../helpers/until.js';
import { deployed, lacking } from './deployed.js';
import { startHaproxy, startNginx, type StartProxy } from './proxies.js';

const { createDatabase } = await startServer(t);

/** The file, and how its idle timeouts are made short: all of them, as the file has them. */
const PROXIES: readonly {
  readonly name: string;
  readonly start: StartProxy;
  readonly file: string;
  readonly timeouts: Readonly<Record<string, string>>;
}[] = [
  {
    name: 'nginx',
    start: startNginx,
    file: 'proxy/nginx.conf',
    timeouts: { 'proxy_read_timeout 90s': 'proxy_read_timeout 8s' },
  },
  {
    name: 'haproxy',
    start: startHaproxy,
    file: 'proxy/haproxy.cfg',
    timeouts: { 'timeout tunnel 90s': 'timeout tunnel 8s' },
  },
];

/**
 * So long that a machine may stand still for seconds, and neither the proxy nor the gateway takes
 * the other for dead.
 */
const TIMEOUT_MS = 8_000;
const PING_MS = 2_000;
/** The state of a socket after one and a half timeouts. */
const PINGS = (1.5 * TIMEOUT_MS) / PING_MS;
/** A wait over HTTP lasts at most this long; see http/wait.ts. */
const LONGEST_WAIT_MS = 60_000;

for (const { name, start, file, timeouts } of PROXIES) {
  const skip = lacking(name);

  t.test(`${name}: a socket outlives its timeouts, by the heartbeat alone`, { skip }, async (t) => {
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
    const found = [
      ...(await deployed(file)).matchAll(/(?:read_|send_|client|server|tunnel)\S* (\d+)s/g),
    ];
    t.ok(found.length >= 2, 'the file has timeouts');
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
