// SIGTERM drains the gateway. First it reports that it is not ready, then it rejects new clients,
// and then it asks the connected clients to come back, in sequence. Then the process ends with 0.

import { once } from 'node:events';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { WebSocket } from 'ws';
import { startServer } from '../../helpers/database.js';
import { startGatewayProcess, type GatewayProcess } from '../../helpers/gateway-process.js';
import { until } from '../../helpers/until.js';

const SOCKETS = 2_000;
/**
 * New clients are rejected for two seconds: a test that stands still for longer than this may not
 * see it.
 */
const STANDSTILL_NS = 1e9;

const server = await startServer(t);
const IN_ORDER = { code: 0, signal: null };

/** Opens `size` sockets at once; resolves with the close code of each. */
async function crowd(gateway: GatewayProcess, size: number): Promise<Promise<number>[]> {
  const headers = { authorization: `Bearer ${await gateway.token('admin')}` };
  const sockets = Array.from({ length: size }, (_, n) => {
    const path = n % 20 === 0 ? '/v1/vms' : `/v1/vms/vm-${n}`;
    return new WebSocket(gateway.url.replace('http', 'ws') + path, { headers });
  });
  const ends = sockets.map((ws) => new Promise<number>((resolve) => ws.on('close', resolve)));
  await Promise.all(sockets.map((ws) => once(ws, 'open')));
  for (const ws of sockets) ws.on('error', () => undefined);
  return ends;
}

/**
 * How an attempt to connect ends: an HTTP status, a close code, or `none` once no process listens.
 */
function tryToConnect(gateway: GatewayProcess, token: string): Promise<number | 'none'> {
  const ws = new WebSocket(`${gateway.url.replace('http', 'ws')}/v1/vms/vm-1`, {
    headers: { authorization: `Bearer ${token}` },
  });
  return new Promise((resolve) => {
    ws.on('unexpected-response', (_request, { statusCode = 0, headers }) => {
      resolve(headers['retry-after'] === undefined ? 'none' : statusCode);
      ws.terminate();
    });
    ws.on('error', () => resolve('none'));
    ws.on('close', resolve);
  });
}

/** Collects the distinct answers over HTTP until no process listens. */
async function answersUntilTheEnd({ url }: GatewayProcess, token: string): Promise<Set<string>> {
  const answers = new Set<string>();
  const headers = { authorization: `Bearer ${token}` };
  const askOn = async (path: string): Promise<void> => {
    for (;;) {
      const response = await fetch(url + path, { headers });
      const { code = '' } = (await response.json()) as { code?: string };
      answers.add(`${path}: ${response.status} ${code}`.trim());
    }
  };
  const paths = ['/health/ready', '/health/live', '/v1/vms/vm-1'];
  await Promise.allSettled(paths.map(askOn));
  return answers;
}

function counted(answers: readonly (number | 'none')[]): Map<number | 'none', number> {
  const counts = new Map<number | 'none', number>();
  for (const answer of answers) counts.set(answer, (counts.get(answer) ?? 0) + 1);
  return counts;
}

t.test(
  'two thousand sockets that came at once are all asked to come back, under load',
  async (t) => {
    const database = await server.createDatabase();
    await database.query(
      `INSERT INTO vms (hostname, status) SELECT 'vm-' || n, 'available' FROM generate_series(1, 2000) n`,
    );
    const gateway = await startGatewayProcess(t, database, {
      env: { DRAIN_SECONDS: '8', MAX_SOCKETS_PER_IDENTITY: String(2 * SOCKETS) },
    });
    const ends = await crowd(gateway, SOCKETS);
    const token = await gateway.token('admin');
    const keptAlive = await gateway.connect('/v1/vms/vm-1', 'admin');

    let isOver = false;
    const load = async (): Promise<void> => {
      while (!isOver) {
        await database.query(`UPDATE vms SET email = 'x' || random() WHERE random() < 0.02`);
        await sleep(10);
      }
    };
    const newcomers: Promise<number | 'none'>[] = [];
    const keepTrying = async (): Promise<void> => {
      while (!isOver) {
        newcomers.push(tryToConnect(gateway, token));
        await sleep(20);
      }
    };
    const loading = load();
    const delay = monitorEventLoopDelay();
    delay.enable();
    gateway.program.child.kill('SIGTERM');
    const trying = keepTrying();
    const answers = await answersUntilTheEnd(gateway, token);
    delay.disable();
    const stoodStill = delay.max > STANDSTILL_NS;
    if (stoodStill) t.comment(`this process stood still for ${delay.max / 1e9} s`);
    for (const expected of [
      '/health/ready: 503 draining',
      '/v1/vms/vm-1: 503 draining',
      '/health/live: 200',
    ])
      t.ok(stoodStill || answers.has(expected), expected);
    t.equal([...answers].filter((answer) => /live: [^2]/.test(answer)).length, 0);

    const codes = await Promise.all(ends);
    t.same(counted(codes), new Map([[1012, SOCKETS]]));
    t.match(await keptAlive.closed, { code: 1012, reason: 'restarting' });
    t.same(await gateway.program.exited, IN_ORDER);
    isOver = true;
    await Promise.all([loading, trying]);
    const ended = counted(await Promise.all(newcomers));
    for (const answer of ended.keys()) {
      t.ok([503, 1012, 'none'].includes(answer), `${answer}: let in and dropped is nobody`);
    }
    t.ok(stoodStill || (ended.get(503) ?? 0) > 0, 'newcomers were refused');
  },
);

t.test('without clients it ends at once', async (t) => {
  const gateway = await startGatewayProcess(t, await server.createDatabase(), {
    env: { DRAIN_SECONDS: '3600' },
  });
  gateway.program.child.kill('SIGINT');
  t.same(await gateway.program.exited, IN_ORDER, 'though it might take an hour');
});

t.test('a client that does not finish the close handshake is cut off', async (t) => {
  const gateway = await startGatewayProcess(t, await server.createDatabase());
  const silent = await gateway.connect('/v1/vms', 'admin');
  silent.ws.pause();
  gateway.program.child.kill('SIGTERM');
  t.same(await gateway.program.exited, IN_ORDER);
  silent.ws.resume();
  t.match(await silent.closed, { code: 1012 }, 'it was told all the same');
});

t.test('a second signal ends it at once', async (t) => {
  const gateway = await startGatewayProcess(t, await server.createDatabase(), {
    env: { DRAIN_SECONDS: '3600', MAX_SOCKETS_PER_IDENTITY: '1000' },
  });
  // The clients are asked to leave over ten seconds.
  await crowd(gateway, 1_000);
  gateway.program.child.kill('SIGTERM');
  await until('it drains', async () => (await fetch(`${gateway.url}/health/ready`)).status === 503);
  gateway.program.child.kill('SIGINT');
  t.match(await gateway.program.exited, { code: 1 }, 'not in order');
});
