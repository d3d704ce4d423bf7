// The client on its platform: it uses the platform's WebSocket, or `ws` where there is none.

import { getEventListeners } from 'node:events';
import t from 'tap';
import { WebSocket } from 'ws';
import { createClient } from '../../src/client/index.js';
import { platform, sleep } from '../../src/client/runtime.js';
import { FakeGateway } from './fake-gateway.js';
import { phase, status } from './rows.js';

t.test("the platform's WebSocket is used where there is one", async (t) => {
  const made: WebSocket[] = [];
  /** A WebSocket like a browser's, without `terminate`. */
  class BrowserSocket extends WebSocket {
    constructor(url: string, protocols: string[]) {
      super(url, protocols);
      made.push(this);
      Object.defineProperty(this, 'terminate', { value: undefined });
    }
  }
  const had = Object.getOwnPropertyDescriptor(globalThis, 'WebSocket');
  Object.defineProperty(globalThis, 'WebSocket', { value: BrowserSocket, configurable: true });
  t.teardown(() => {
    Reflect.deleteProperty(globalThis, 'WebSocket');
    if (had !== undefined) Object.defineProperty(globalThis, 'WebSocket', had);
  });
  const gateway = await FakeGateway.start(t);
  const watch = createClient({ url: gateway.url, token: 't' }).watchVm('vm-1');
  t.teardown(() => watch.close());
  const peer = await gateway.welcomed({ heartbeat_ms: 20 });
  peer.send(status('vm-1'));
  await phase(watch, 'reconnecting');
  t.equal(made.length, 1);
  t.equal(
    await peer.closed,
    4408,
    'a silent peer is abandoned by a close, because a browser has no other way',
  );
});

t.test('`ws` is used elsewhere, with a User-Agent for proxies', async (t) => {
  const gateway = await FakeGateway.start(t);
  const watch = createClient({ url: gateway.url, token: 't' }).watchVm('vm-1');
  t.teardown(() => watch.close());
  const { userAgent } = await gateway.peers.next();
  t.equal(userAgent, 'lablink-gateway-client');
});

t.test('a sleep ends after its time, or when its signal is aborted', async (t) => {
  const waking = new AbortController();
  await sleep(platform, 1, waking.signal);
  t.equal(getEventListeners(waking.signal, 'abort').length, 0, 'and its listener is removed');
  const long = sleep(platform, 3_600_000, waking.signal);
  waking.abort();
  await long;
  await sleep(platform, 3_600_000, waking.signal);
});
