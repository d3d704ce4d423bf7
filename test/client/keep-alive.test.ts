// The client detects a silent gateway, also in browsers, which hide Pings.

import t, { type Test } from 'tap';
import { createClient } from '../../src/client/index.js';
import { FakeGateway } from './fake-gateway.js';
import { ManualRuntime } from './manual-runtime.js';
import { events, phase, status } from './rows.js';

async function live(t: Test) {
  const gateway = await FakeGateway.start(t);
  const clock = new ManualRuntime();
  const watch = createClient({ url: gateway.url, token: 't' }, clock.runtime).watchVm('vm-1');
  t.teardown(() => watch.close());
  const peer = await gateway.welcomed({ heartbeat_ms: 10_000 });
  peer.send(status('vm-1'));
  await phase(watch, 'live');
  return { gateway, clock, watch, peer, frames: events(watch.on.bind(watch, 'frame')) };
}

t.test('a quiet interval is followed by a ping', async (t) => {
  const { clock, peer } = await live(t);
  clock.advance(10_000);
  clock.advance(9_999);
  clock.advance(1);
  t.same(await peer.received.next(), { type: 'ping' });
  t.equal(peer.received.length, 0, 'and no other');
});

t.test('anything that arrives is a sign of life', async (t) => {
  const { clock, peer, watch, frames } = await live(t);
  clock.advance(10_000);
  for (const sign of [{ type: 'pong' }, status('vm-1'), { type: 'unheard-of' }]) {
    clock.advance(10_000);
    t.same(await peer.received.next(), { type: 'ping' });
    peer.send(sign);
    await frames.next();
    clock.advance(10_000);
    t.equal(watch.connection.phase, 'live');
    t.equal(peer.received.length, 0, 'an active gateway gets no ping');
  }
});

t.test('a gateway that stays silent is abandoned without a close handshake', async (t) => {
  const { clock, peer, watch, gateway } = await live(t);
  clock.advance(20_000);
  await peer.received.next();
  clock.advance(9_999);
  t.equal(watch.connection.phase, 'live');
  clock.advance(1);
  t.same(await phase(watch, 'reconnecting'), {
    phase: 'reconnecting',
    nextTryMs: clock.nowMs + 1_000,
    reason: 'the gateway has gone silent',
    code: 4408,
  });
  t.same(clock.delaysMs, [1_000], 'no timer of the old socket is left');
  t.equal(await peer.closed, 1006);
  clock.advance(1_000);
  (await gateway.welcomed()).send(status('vm-1'));
  await phase(watch, 'live');
});
