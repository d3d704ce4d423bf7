// Every limit rejects excess with its own answer, counts it under its name, and harms no other
// client.

import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { REJECTION_REASONS, type RejectionReason } from '../../../src/gateway/session/limits.js';
import { startServer } from '../../helpers/database.js';
import { startGateway, type TestGatewayOptions } from '../../helpers/gateway.js';
import { parseMetrics } from '../../helpers/prometheus.js';
import type { RawClient } from '../../helpers/raw-client.js';
import { clientEnd } from '../../helpers/sockets.js';
import { until } from '../../helpers/until.js';
import { bearer, waysToAsk } from './ask.js';

const { createDatabase } = await startServer(t);
const database = await createDatabase();
await database.query(`INSERT INTO vms (hostname, status) VALUES ('vm-1', 'available')`);

const PLENTY = { total: 100, perAddress: 100, perIdentity: 100 };

/**
 * A gateway with these limits, and the rejections that its metrics have counted since the last
 * call.
 */
async function limited(t: Test, options: TestGatewayOptions) {
  const gateway = await startGateway(t, database, options);
  const before = new Map<string, number>();
  const refusals = async (): Promise<RejectionReason[]> => {
    const metrics = parseMetrics(await (await gateway.fetch('/metrics')).text());
    const series =
      metrics.get('lablink_limits_exceeded_total')?.series ?? new Map<string, number>();
    return REJECTION_REASONS.flatMap((reason) => {
      const count = series.get(`lablink_limits_exceeded_total{reason="${reason}"}`) ?? 0;
      const more = count - (before.get(reason) ?? 0);
      before.set(reason, count);
      return Array<RejectionReason>(more).fill(reason);
    });
  };
  return { gateway, refusals, ...waysToAsk(gateway) };
}

const REQUEST_ID = /\r\nX-Request-Id: [0-9a-f-]{36}\r\n/;

/**
 * Everything that arrived until the other side ended the connection, also by a reset in the middle
 * of an answer.
 */
async function readAnswer(socket: Socket): Promise<string> {
  const answer: Buffer[] = [];
  socket.on('data', (data: Buffer) => answer.push(data)).on('error', () => undefined);
  await new Promise((resolve) => socket.once('close', resolve));
  return Buffer.concat(answer).toString();
}

function tcpTo(url: string): Socket {
  const { hostname, port } = new URL(url);
  return connectTcp(Number(port), hostname);
}

t.test(
  'a socket past the limit gets 503 with Retry-After, and a closed socket frees its slot',
  async (t) => {
    const { gateway, refusals, byUpgrade, overHttp } = await limited(t, {
      socketLimits: { ...PLENTY, total: 2 },
    });
    const headers = bearer(await gateway.token('admin'));
    const first = await gateway.connect('/v1/vms', 'admin');
    await gateway.connect('/v1/vms/vm-1', 'agent', 'vm-1');
    const refused = await byUpgrade('/v1/vms', headers);
    t.same([refused.status, refused.code], [503, 'too_many_sockets']);
    t.match(refused.headers.get('retry-after'), /^[1-9]\d*$/);
    t.same(await refusals(), ['too_many_sockets']);
    t.equal((await overHttp('/v1/vms', headers)).status, 200, 'HTTP is answered');
    t.equal((await byUpgrade('/v1/vms', {})).status, 401, 'and the token is looked at first');

    await first.close();
    await until('there is room', async () => (await byUpgrade('/v1/vms', headers)).status === 101);
  },
);

t.test('an identity has a limit of its own across all its tokens', async (t) => {
  const { gateway, refusals, byUpgrade } = await limited(t, {
    socketLimits: { ...PLENTY, perIdentity: 1 },
  });
  await gateway.connect('/v1/vms', 'dashboard', 'wall');
  const refused = await byUpgrade('/v1/vms', bearer(await gateway.token('dashboard', 'wall')));
  t.same([refused.status, refused.code], [429, 'too_many_sockets_of_identity']);
  t.ok(refused.headers.has('retry-after'));
  t.same(await refusals(), ['too_many_sockets_of_identity']);
  await gateway.connect('/v1/vms', 'dashboard', 'door');
  await gateway.connect('/v1/vms', 'admin', 'wall');
});

t.test('an address has a limit of its own, and only a configured proxy is trusted', async (t) => {
  const from = (address: string) => ({ 'x-forwarded-for': address });
  const socketLimits = { ...PLENTY, perAddress: 1 };
  for (const trustProxy of [['127.0.0.1'], false]) {
    const { gateway, refusals, byUpgrade } = await limited(t, { socketLimits, trustProxy });
    const headers = bearer(await gateway.token('admin'));
    const ask = (address: string) => byUpgrade('/v1/vms', { ...headers, ...from(address) });
    const held = await gateway.connect('/v1/vms', 'admin', undefined, from('203.0.113.7'));
    const [same, other] = [await ask('203.0.113.7'), await ask('203.0.113.8')];
    t.equal(other.status, 101);
    if (trustProxy === false) {
      t.equal(same.status, 101, 'what comes from loopback is not counted');
    } else {
      t.same([same.status, same.code], [429, 'too_many_sockets_of_address']);
      t.same(await refusals(), ['too_many_sockets_of_address']);
    }
    await held.close();
  }
});

t.test(
  'a client that waits over HTTP holds a slot until the answer, as a socket does',
  async (t) => {
    for (const [socketLimits, status, code] of [
      [{ ...PLENTY, total: 1 }, 503, 'too_many_sockets'],
      [{ ...PLENTY, perAddress: 1 }, 429, 'too_many_sockets_of_address'],
      [{ ...PLENTY, perIdentity: 1 }, 429, 'too_many_sockets_of_identity'],
    ] as const) {
      const { gateway, refusals, overHttp, byUpgrade } = await limited(t, {
        ...{ socketLimits, trustProxy: ['127.0.0.1'] },
      });
      const headers = { ...bearer(await gateway.token('admin')), 'x-forwarded-for': '203.0.113.7' };
      const leaving = new AbortController();
      const url = `${gateway.url}/v1/vms/vm-new?wait=60`;
      const waiting = fetch(url, { headers, signal: leaving.signal });
      waiting.catch(() => undefined);
      await until('there is no place', async () => {
        const answer = await byUpgrade('/v1/vms/vm-1', headers);
        return answer.status === status && answer.code === code;
      });
      await refusals();
      const refused = await overHttp('/v1/vms/vm-new?wait=60', headers);
      t.same([refused.status, refused.code], [status, code]);
      t.match(refused.headers.get('retry-after'), /^[1-9]\d*$/);
      t.same(await refusals(), [code]);
      t.equal(
        (await overHttp('/v1/vms/vm-1', headers)).status,
        200,
        'who waits for nothing is served',
      );

      leaving.abort();
      const waits = () => overHttp('/v1/vms/vm-1?wait=60', headers);
      await until('the place is free', async () => (await waits()).status === 200);
      t.equal((await waits()).status, 200, 'and free again when it was answered');
    }
  },
);

t.test('a client that disconnects during the upgrade holds no slot', async (t) => {
  const { gateway, byUpgrade } = await limited(t, { socketLimits: { ...PLENTY, total: 1 } });
  const authorization = `Bearer ${await gateway.token('admin')}`;
  for (let n = 0; n < 50; n++) {
    const socket = tcpTo(gateway.url);
    socket.on('error', () => undefined);
    const key = n % 2 === 0 ? 'dGhlIHNhbXBsZSBub25jZQ==' : 'bad';
    const request =
      `GET /v1/vms HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      `Authorization: ${authorization}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`;
    // Reset at once, so that the client is gone while its token is verified.
    if (n % 3 === 0) socket.write(request, () => socket.resetAndDestroy());
    else socket.end(request);
    socket.resume();
    await once(socket, 'close');
  }
  const headers = { authorization };
  await until('there is room', async () => (await byUpgrade('/v1/vms', headers)).status === 101);
});

const FLOODS: Readonly<Record<string, (client: RawClient) => void>> = {
  messages: ({ ws }) => ws.send('{"type":"ping"}'),
  'messages that are rejected': ({ ws }) => ws.send('{"type":"what?"}'),
  Pings: ({ ws }) => ws.ping(),
  'unsolicited Pongs': ({ ws }) => ws.pong(),
};

t.test('a flood', async (t) => {
  const { gateway, refusals } = await limited(t, {});
  const bystander = await gateway.connect('/v1/vms/vm-1', 'agent', 'vm-1');
  t.test('of small messages ends with 4429, each socket counted once', async (t) => {
    await Promise.all(
      Object.entries(FLOODS).map(async ([name, flood]) => {
        const client = await gateway.connect('/v1/vms', 'dashboard');
        for (let n = 0; n < 1_000; n++) flood(client);
        t.same(await client.closed, { code: 4429, reason: 'too many' }, name);
      }),
    );
    t.same(
      await refusals(),
      Object.keys(FLOODS).map(() => 'too_many_messages'),
    );
    await database.query(`UPDATE vms SET email = 'after the flood'`);
    await bystander.next((message) => JSON.stringify(message).includes('after the flood'));
  });

  t.test('of parts of a message ends the socket, in frames and in packets', async (t) => {
    await refusals();
    const inFrames = await gateway.connect('/v1/vms', 'dashboard');
    for (let n = 0; n < 1_000; n++) inFrames.ws.send('', { fin: false });
    t.match(await inFrames.closed, { code: 1008 });

    const inPackets = await gateway.connect('/v1/vms', 'dashboard');
    const tcp = clientEnd(inPackets.ws).setNoDelay();
    // A masked text frame of 1,000 bytes (RFC 6455 §5.2), byte by byte.
    tcp.write(Buffer.from([0x81, 0x80 | 126, 1_000 >> 8, 1_000 & 255, 0, 0, 0, 0]));
    while (inPackets.ws.readyState === inPackets.ws.OPEN) {
      tcp.write(' ');
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    t.match(await inPackets.closed, { code: 1008 });
    t.same(await refusals(), ['message_too_large', 'message_too_large']);
  });

  t.test('of bytes in a message ends the socket with 1009, and is counted', async (t) => {
    await refusals();
    const client = await gateway.connect('/v1/vms', 'dashboard');
    client.ws.send('x'.repeat(16 * 1024 + 1));
    t.match(await client.closed, { code: 1009 });
    t.same(await refusals(), ['message_too_large']);
  });

  t.end();
});

t.test('a connection with endless headers, or a silent one, is cut', async (t) => {
  const { gateway, refusals } = await limited(t, {});
  const slow = tcpTo(gateway.url);
  slow.write('GET / HTTP/1.1\r\nX-Slow: ');
  const trickle = setInterval(() => slow.write('x'), 100);
  const silent = tcpTo(gateway.url);
  for (const answer of await Promise.all([slow, silent].map(readAnswer))) {
    t.match(answer, /^HTTP\/1\.1 408 [^]*"code":"request_timeout"/);
  }
  clearInterval(trickle);
  t.same(await refusals(), ['request_timeout', 'request_timeout']);
});

t.test('headers that are too large, and bytes that are no HTTP, get a problem', async (t) => {
  const { gateway, refusals } = await limited(t, {});
  const asked = async (text: string): Promise<string> => {
    const socket = tcpTo(gateway.url);
    socket.write(text);
    return readAnswer(socket);
  };
  const large = await asked(`GET / HTTP/1.1\r\nHost: x\r\nX-Large: ${'x'.repeat(20_000)}\r\n\r\n`);
  t.match(large, /^HTTP\/1\.1 431 [^]*"code":"headers_too_large"/);
  t.match(large, REQUEST_ID);
  t.same(await refusals(), ['headers_too_large']);
  const noHttp = await asked('\u0016\u0003\u0001 this is TLS\r\n\r\n');
  t.match(noHttp, /^HTTP\/1\.1 400 [^]*"code":"invalid_request"/);
  t.match(noHttp, REQUEST_ID);
  const metrics = await (await gateway.fetch('/metrics')).text();
  for (const [status, code] of [
    [431, 'headers_too_large'],
    [400, 'invalid_request'],
  ] as const) {
    t.match(metrics, `lablink_http_answers_total{route="none",status="${status}"} 1`);
    t.match(metrics, `lablink_refusals_total{at="http",code="${code}"} 1`);
  }
});

t.test('a body that is too large, and a client past its rate limit, are counted', async (t) => {
  const { gateway, refusals, overHttp } = await limited(t, { requestsPerMinute: 2 });
  const headers = bearer(await gateway.token('admin'));
  const large = await fetch(`${gateway.url}/v1/assignments`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify({ email: 'x'.repeat(64 * 1024) }),
  });
  t.match(await large.json(), { status: 413, code: 'body_too_large' });
  t.same(await refusals(), ['body_too_large']);
  t.equal((await overHttp('/v1/stats', headers)).status, 200);
  t.equal((await overHttp('/v1/stats', headers)).code, 'rate_limited');
  t.same(await refusals(), ['rate_limited']);
});
