// Rejected upgrades: the client requests the reason over HTTP, and acts on it.

import t, { type Test } from 'tap';
import { createClient, type ConnectionState } from '../../src/client/index.js';
import { FakeGateway, problem, type Answer } from './fake-gateway.js';
import { ManualRuntime } from './manual-runtime.js';
import { changes, phase, snapshot, status } from './rows.js';

async function createRejectedWatch(
  t: Test,
  refusal: Answer,
  token: string | (() => Promise<string>),
) {
  const gateway = await FakeGateway.start(t);
  gateway.refusal = refusal;
  const clock = new ManualRuntime();
  const watch = createClient({ url: gateway.url, token }, clock.runtime).watchVm('vm-1');
  t.teardown(() => watch.close());
  return { gateway, clock, watch };
}

/** Waits for the state of the connection after the rejection. */
function waitForResult(
  watch: { connection: ConnectionState; closed: Promise<unknown> } & Parameters<typeof phase>[0],
) {
  return Promise.race([watch.closed, phase(watch, 'reconnecting')]);
}

t.test('the client requests the same URL, with the token', async (t) => {
  const { gateway, watch } = await createRejectedWatch(t, problem(403, 'not_allowed'), 'abc');
  t.same(await gateway.requests.next(), { target: '/v1/vms/vm-1', authorization: 'Bearer abc' });
  t.same(await watch.closed, {
    phase: 'closed',
    rejected: true,
    reason: 'HTTP 403 not_allowed: because not_allowed',
    code: 403,
  });
});

t.test('a final rejection by the gateway closes the watch', async (t) => {
  for (const answer of [
    problem(400, 'invalid_hostname'),
    problem(403, 'not_allowed'),
    problem(404, 'not_found'),
    problem(414, 'uri_too_long'),
  ]) {
    const { watch } = await createRejectedWatch(t, answer, async () => 't');
    t.match(await waitForResult(watch), { phase: 'closed', rejected: true, code: answer.status });
  }
});

t.test('any other rejection is tried again', async (t) => {
  const html = { 'content-type': 'text/html' };
  const cases: [name: string, answer: Answer, pauseMs: number][] = [
    ['not ready', problem(503, 'not_ready'), 1_000],
    ['a proxy without its gateway', { status: 502, headers: html, body: '<h1>' }, 1_000],
    ['a proxy that is being reconfigured', { status: 404, headers: html, body: '<h1>' }, 7_500],
    ['a firewall', { status: 403, headers: html, body: '<h1>' }, 7_500],
    ['a redirect', { status: 301, headers: { location: 'http://127.0.0.1:1/' } }, 7_500],
    ['too many', problem(429, 'too_many'), 7_500],
    ['a VM without a row, whose socket opens anyway', problem(404, 'vm_not_found'), 1_000],
    ['a rejection that has passed', { status: 200, body: '{}' }, 1_000],
    ['a problem without a code', { ...problem(403, ''), body: '{"status":403}' }, 7_500],
    ['a problem that is no object', { ...problem(403, ''), body: 'null' }, 7_500],
    ['a problem that is cut off', { ...problem(403, ''), body: '{"co' }, 1_000],
  ];
  for (const [name, answer, pauseMs] of cases) {
    t.test(name, async (t) => {
      const { gateway, clock, watch } = await createRejectedWatch(t, answer, 't');
      const { nextTryMs } = await phase(watch, 'reconnecting');
      t.equal(nextTryMs - clock.nowMs, pauseMs);
      gateway.refusal = undefined;
      clock.advance(pauseMs);
      (await gateway.welcomed()).send(status('vm-1'));
      await phase(watch, 'live');
    });
  }
});

t.test('a proxy that does not forward upgrades is named', async (t) => {
  const { watch } = await createRejectedWatch(t, { status: 200 }, 't');
  const { reason } = await phase(watch, 'reconnecting');
  t.match(reason, 'does a proxy forward the upgrade?');
});

t.test('Retry-After is respected, up to a limit', async (t) => {
  for (const [header, delayMs] of [
    ['5', 6_000],
    ['86400', 31_000],
    ['Thu, 01 Jan 2099 00:00:00 GMT', 1_000],
  ] as const) {
    const answer = { status: 503, headers: { 'retry-after': header } };
    const { clock, watch } = await createRejectedWatch(t, answer, 't');
    const { nextTryMs } = await phase(watch, 'reconnecting');
    t.equal(nextTryMs - clock.nowMs, delayMs);
  }
});

t.test('a rejected token', async (t) => {
  t.test('closes the watch if it is a string', async (t) => {
    const { watch } = await createRejectedWatch(t, problem(401, 'token_expired'), 't');
    t.match(await waitForResult(watch), { phase: 'closed', rejected: true, code: 401 });
  });

  t.test('is replaced by a fresh one', async (t) => {
    let count = 0;
    const fresh = async (): Promise<string> => `t${++count}`;
    const { gateway, clock, watch } = await createRejectedWatch(
      t,
      problem(401, 'token_expired'),
      fresh,
    );
    const { nextTryMs } = await phase(watch, 'reconnecting');
    gateway.refusal = undefined;
    clock.advance(nextTryMs - clock.nowMs);
    t.equal((await gateway.peers.next()).offered, 'lablink.v1,bearer.t2');
  });

  t.test('may also be one that a subprotocol cannot carry', async (t) => {
    const { watch } = await createRejectedWatch(t, { status: 200 }, 'a token, with spaces');
    t.match(await waitForResult(watch), { phase: 'closed', rejected: true });
  });
});

t.test('a gateway that does not answer over HTTP either is unreachable', async (t) => {
  const gateway = await FakeGateway.start(t);
  gateway.refusal = { status: 503 };
  const clock = new ManualRuntime();
  const asked: AbortSignal[] = [];
  const runtime = {
    ...clock.runtime,
    fetch: (_url: unknown, { signal }: RequestInit = {}): Promise<Response> =>
      new Promise((_resolve, reject) => {
        signal?.addEventListener('abort', () => reject(new Error('aborted')));
        if (signal instanceof AbortSignal) asked.push(signal);
        clock.advance(15_000);
      }),
  };
  const watch = createClient({ url: gateway.url, token: 't' }, runtime).watchVm('vm-1');
  t.teardown(() => watch.close());
  t.match(await phase(watch, 'reconnecting'), { reason: 'the gateway cannot be reached' });
  t.equal(asked[0]?.aborted, true);
});

t.test('a page names its origin to its own gateway, and is told of a changed Host', async (t) => {
  for (const isOwn of [true, false]) {
    const gateway = await FakeGateway.start(t);
    gateway.refusal = problem(403, 'origin_not_allowed');
    const clock = new ManualRuntime();
    const named: (string | null)[] = [];
    const runtime = {
      ...clock.runtime,
      pageOrigin: isOwn ? gateway.url : 'https://other.example',
      fetch: (url: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
        named.push(new Headers(init.headers).get('x-page-origin'));
        return fetch(url, init);
      },
    };
    const watch = createClient({ url: gateway.url, token: 't' }, runtime).watchVm('vm-1');
    t.teardown(() => watch.close());
    const { reason, nextTryMs } = await phase(watch, 'reconnecting');
    t.match(reason, 'origin_not_allowed');
    t.equal(nextTryMs - clock.nowMs, 7_500, 'the proxy may be mended');
    t.same(named, [isOwn ? gateway.url : null]);
  }
});

t.test('a rejected cursor is dropped', async (t) => {
  const gateway = await FakeGateway.start(t);
  const clock = new ManualRuntime();
  const watch = createClient({ url: gateway.url, token: 't' }, clock.runtime).watchFleet();
  t.teardown(() => watch.close());
  const first = await gateway.welcomed();
  first.send(snapshot('g1.1'), changes('g1.2'));
  await phase(watch, 'live');
  gateway.refusal = problem(400, 'invalid_cursor');
  first.ws.terminate();
  let { nextTryMs } = await phase(watch, 'reconnecting');
  clock.advance(nextTryMs - clock.nowMs);
  t.equal((await gateway.requests.next()).target, '/v1/vms?cursor=g1.2');
  ({ nextTryMs } = await phase(watch, 'reconnecting'));
  gateway.refusal = undefined;
  clock.advance(nextTryMs - clock.nowMs);
  t.equal((await gateway.peers.next()).target, '/v1/vms');
});
