// Reconnecting: whether, when, and with which token. The test moves the clock.

import t, { type Test } from 'tap';
import { createClient } from '../../src/client/index.js';
import { CLOSE, decideReturn } from '../../src/protocol/close-codes.js';
import { FakeGateway, type Peer } from './fake-gateway.js';
import { ManualRuntime } from './manual-runtime.js';
import { phase, status } from './rows.js';

/** Half of the longest first pause, because `random` always returns a half. */
const SOON_MS = 1_000;
const LATER_MS = 7_500;

/** Creates a watch that is live. */
async function live(t: Test, token: string | (() => Promise<string>) = 't') {
  const gateway = await FakeGateway.start(t);
  const clock = new ManualRuntime();
  const watch = createClient({ url: gateway.url, token }, clock.runtime).watchVm('vm-1');
  t.teardown(() => watch.close());
  const peer = await tell(gateway);
  await phase(watch, 'live');
  return { gateway, clock, watch, peer };
}

async function tell(gateway: FakeGateway): Promise<Peer> {
  const peer = await gateway.welcomed();
  peer.send(status('vm-1'));
  return peer;
}

t.test('every close code has the effect that its table says', async (t) => {
  for (const { code, reason } of Object.values(CLOSE)) {
    t.test(`${code} ${reason}`, async (t) => {
      let token = 0;
      const { gateway, clock, watch, peer } = await live(t, async () => `t${++token}`);
      peer.ws.close(code, reason);
      const how = decideReturn(code);
      if (how === 'no') {
        const closed = { phase: 'closed', rejected: true, reason, code };
        t.same(await watch.closed, closed);
        t.same(watch.connection, closed);
        t.same(clock.delaysMs, [], 'no timer is left');
        return;
      }
      const delayMs = how === 'later' ? LATER_MS : SOON_MS;
      t.same(await phase(watch, 'reconnecting'), {
        phase: 'reconnecting',
        nextTryMs: clock.nowMs + delayMs,
        reason,
        code,
      });
      t.same(clock.delaysMs, [delayMs]);
      clock.advance(delayMs - 1);
      t.equal(watch.connection.phase, 'reconnecting');
      clock.advance(1);
      const { offered } = await tell(gateway);
      t.equal(offered, `lablink.v1,bearer.t${how === 'new-token' ? 2 : 1}`);
      await phase(watch, 'live');
    });
  }
});

t.test('an unknown code, or none, means soon', async (t) => {
  const { gateway, clock, watch, peer } = await live(t);
  peer.ws.close(4999, 'a proxy speaks');
  t.match(await phase(watch, 'reconnecting'), { code: 4999, reason: 'a proxy speaks' });
  clock.advance(SOON_MS);
  const next = await tell(gateway);
  await phase(watch, 'live');
  next.ws.terminate();
  t.match(await phase(watch, 'reconnecting'), {
    code: 1006,
    reason: 'the connection was lost (1006)',
  });
});

t.test('reconnectNow ends the pause, once, and shortens no later one', async (t) => {
  const { gateway, clock, watch, peer } = await live(t);
  watch.reconnectNow();
  t.equal(watch.connection.phase, 'live', 'no effect on an open connection');
  gateway.refusal = { status: 500 };
  peer.ws.terminate();
  await phase(watch, 'reconnecting');
  watch.reconnectNow();
  await phase(watch, 'connecting');
  await phase(watch, 'reconnecting');
  t.same(clock.delaysMs, [2 * SOON_MS], 'the backoff goes on');
  gateway.refusal = undefined;
  watch.reconnectNow();
  await tell(gateway);
  await phase(watch, 'live');
});

t.test('each failure doubles the longest pause, up to a limit', async (t) => {
  const { clock, watch, gateway, peer } = await live(t);
  gateway.refusal = { status: 500 };
  peer.ws.terminate();
  const pauses: number[] = [];
  while (pauses.length < 7) {
    const { nextTryMs } = await phase(watch, 'reconnecting');
    pauses.push(nextTryMs - clock.nowMs);
    clock.advance(nextTryMs - clock.nowMs);
    await phase(watch, 'connecting');
  }
  t.same(pauses, [1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000]);
});

t.test('a long connection resets the backoff, a short one does not', async (t) => {
  const { clock, watch, gateway, peer } = await live(t);
  const pauseAfter = async (peer: Peer): Promise<number> => {
    peer.ws.terminate();
    const { nextTryMs } = await phase(watch, 'reconnecting');
    const pauseMs = nextTryMs - clock.nowMs;
    clock.advance(pauseMs);
    return pauseMs;
  };
  t.equal(await pauseAfter(peer), 1_000);
  t.equal(await pauseAfter(await tell(gateway)), 2_000);
  const third = await tell(gateway);
  await phase(watch, 'live');
  clock.advance(10_000);
  t.equal(await pauseAfter(third), 1_000);
});

t.test('jitter spreads clients that were disconnected together', async (t) => {
  for (const [chance, pauseMs] of [
    [0, 0],
    [0.25, 500],
    [0.999, 1_998],
  ] as const) {
    const gateway = await FakeGateway.start(t);
    const clock = new ManualRuntime(chance);
    const client = createClient({ url: gateway.url, token: 't' }, clock.runtime);
    const watch = client.watchVm('vm-1');
    t.teardown(() => watch.close());
    (await tell(gateway)).ws.close(1012);
    const { nextTryMs } = await phase(watch, 'reconnecting');
    t.equal(nextTryMs - clock.nowMs, pauseMs);
  }
});

t.test('a client connects once the gateway has started', async (t) => {
  const absent = await FakeGateway.start(t);
  const { port, url } = absent;
  await absent.stop();
  const clock = new ManualRuntime();
  const watch = createClient({ url, token: 't' }, clock.runtime).watchVm('vm-1');
  t.teardown(() => watch.close());
  t.match(await phase(watch, 'reconnecting'), {
    reason: 'the gateway cannot be reached',
    code: undefined,
  });
  const gateway = await FakeGateway.start(t, port);
  clock.advance(SOON_MS);
  await tell(gateway);
  await phase(watch, 'live');
});

t.test('a gateway that accepts the connection and sends nothing is abandoned', async (t) => {
  const gateway = await FakeGateway.start(t);
  const clock = new ManualRuntime();
  const watch = createClient({ url: gateway.url, token: 't' }, clock.runtime).watchVm('vm-1');
  t.teardown(() => watch.close());
  await gateway.upgrades.next();
  const { closed } = await gateway.peers.next();
  clock.advance(15_000);
  t.match(await phase(watch, 'reconnecting'), {
    code: 4408,
    reason: 'the gateway does not answer',
  });
  t.equal(await closed, 1006, 'without a close handshake');

  t.test('also before the upgrade', async (t) => {
    gateway.refusal = 'hang';
    clock.advance(SOON_MS);
    await gateway.upgrades.next();
    clock.advance(15_000);
    t.match(await phase(watch, 'reconnecting'), { reason: 'the gateway does not answer' });
  });
});

t.test('messages from an abandoned socket are ignored', async (t) => {
  const gateway = await FakeGateway.start(t);
  const clock = new ManualRuntime();
  const client = createClient({ url: gateway.url, token: 't' }, clock.runtime);
  const watch = client.watchVm('vm-1');
  const states: string[] = [];
  watch.on('connection', (state) => states.push(state.phase));
  watch.on('frame', () => watch.close());
  const peer = await gateway.welcomed();
  peer.send(status('vm-1'));
  await peer.closed;
  t.equal(watch.state, undefined);
  t.same(states, ['connecting', 'closed']);
});
