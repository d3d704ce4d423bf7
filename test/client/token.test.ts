// The token of an open socket is renewed before it expires. A failed renewal does not close the
// connection.

import t, { type Test } from 'tap';
import { createClient } from '../../src/client/index.js';
import { platform } from '../../src/client/runtime.js';
import { readExpiryMs, TokenCache, type TokenSource } from '../../src/client/token.js';
import { FakeGateway } from './fake-gateway.js';
import { ManualRuntime } from './manual-runtime.js';
import { phase, status } from './rows.js';

const DAY_MS = 86_400_000;

function jwt(claims: unknown): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'HS256' })}.${part(claims)}.c2lnbmF0dXJl`;
}

/** Creates a live watch. `source` receives the time and returns the tokens. */
async function live(t: Test, source: (nowMs: number) => TokenSource) {
  const gateway = await FakeGateway.start(t);
  const clock = new ManualRuntime();
  const client = createClient({ url: gateway.url, token: source(clock.nowMs) }, clock.runtime);
  const watch = client.watchVm('vm-1');
  t.teardown(() => watch.close());
  const peer = await gateway.welcomed({ heartbeat_ms: 2 ** 31 - 1 });
  peer.send(status('vm-1'));
  await phase(watch, 'live');
  return { gateway, clock, watch, peer };
}

t.test('expiry is read from the payload, and from nothing else', (t) => {
  t.equal(readExpiryMs(jwt({ exp: 1_900_000_000 })), 1_900_000_000_000);
  t.equal(
    readExpiryMs(jwt({ sub: 'Zoë >>> ???', exp: 7 })),
    7_000,
    'base64url, and not only ASCII',
  );
  const others = ['', 'abc', 'a.b.c', jwt({}), jwt(null), jwt('exp'), jwt({ exp: '7' })];
  for (const token of others) t.equal(readExpiryMs(token), undefined, token);
  t.end();
});

t.test('a fresh token is sent after 85 % of its lifetime', async (t) => {
  const tokens: string[] = [];
  const { clock, peer, watch } = await live(t, (nowMs) => async () => {
    tokens.push(jwt({ exp: nowMs / 1000 + 1_000 * (tokens.length + 1), n: tokens.length }));
    return tokens.at(-1) ?? '';
  });
  t.equal(clock.delaysMs[0], 850_000);
  clock.advance(850_000);
  t.same(await peer.received.next(), { type: 'auth', token: tokens[1] });
  t.not(tokens[0], tokens[1]);
  t.equal(clock.delaysMs[0], 0.85 * 1_150_000, 'and the next one likewise');
  clock.advance(0.85 * 1_150_000);
  t.same(await peer.received.next(), { type: 'auth', token: tokens[2] });
  t.equal(watch.connection.phase, 'live', 'on the same socket');
});

t.test('the next socket opens with the renewed token', async (t) => {
  let count = 0;
  const { clock, peer, watch, gateway } = await live(t, (nowMs) => async () => {
    return jwt({ exp: nowMs / 1000 + 1_000 * ++count, n: count });
  });
  clock.advance(850_000);
  await peer.received.next();
  peer.ws.terminate();
  await phase(watch, 'reconnecting');
  clock.advance(1_000);
  const { offered } = await gateway.peers.next();
  t.match(offered, jwt({ exp: Date.UTC(2030, 0, 1) / 1000 + 2_000, n: 2 }));
  t.equal(count, 2, 'the source is not called while the token is valid');
});

t.test('a token of a month is not renewed at once', async (t) => {
  let count = 0;
  const { clock, peer } = await live(t, (nowMs) => async () => {
    return jwt({ exp: nowMs / 1000 + 30 * 86_400 * ++count });
  });
  t.equal(clock.delaysMs[0], 2 ** 31 - 1, 'the longest a timer can wait');
  clock.advance(24 * DAY_MS);
  t.equal(count, 1);
  clock.advance(DAY_MS);
  t.match(await peer.received.next(), { type: 'auth' });
});

t.test('a failing source is called again in the time that is left', async (t) => {
  let asked = 0;
  const fresh = jwt({ exp: Date.UTC(2031, 0, 1) / 1000 });
  const { clock, peer } = await live(t, (nowMs) => async () => {
    if (++asked === 1) return jwt({ exp: nowMs / 1000 + 1_000 });
    if (asked < 4) throw new Error('the token service is away');
    return fresh;
  });
  for (const expected of [850, 127.5, 19.125]) {
    const [delayMs = 0] = clock.delaysMs;
    t.ok(Math.abs(delayMs - expected * 1_000) < 1, `after ${expected} s`);
    clock.advance(delayMs);
    await new Promise(setImmediate);
  }
  t.same(await peer.received.next(), { type: 'auth', token: fresh });
});

t.test('a source without another token is called a limited number of times', async (t) => {
  let asked = 0;
  const { clock, peer } = await live(t, (nowMs) => async () => {
    asked++;
    return jwt({ exp: nowMs / 1000 + 1_000 });
  });
  for (let timers = 0; timers < 10; timers++) {
    const [delayMs = 0] = clock.delaysMs;
    if (delayMs > DAY_MS) break;
    clock.advance(delayMs);
    await new Promise(setImmediate);
  }
  t.equal(asked, 6, 'four attempts after the first, and one at the end');
  t.equal(peer.received.length, 0, 'nothing is sent without a fresh token');
  t.equal(clock.delaysMs.length, 1, 'only the heartbeat is left');
});

t.test('a token that arrives after the close is not sent', async (t) => {
  let give: (token: string) => void = () => undefined;
  let asked = 0;
  const { clock, peer, watch } = await live(t, (nowMs) => () => {
    if (++asked === 1) return Promise.resolve(jwt({ exp: nowMs / 1000 + 1_000 }));
    return new Promise((resolve) => (give = resolve));
  });
  clock.advance(850_000);
  watch.close();
  give(jwt({ exp: 4_000_000_000 }));
  await peer.closed;
  await new Promise(setImmediate);
  t.equal(peer.received.length, 0);
  t.same(clock.delaysMs, [], 'and no timer starts');
});

t.test('a string, and a token without an expiry, are not renewed', async (t) => {
  for (const source of [jwt({ exp: 2_000_000_000 }), async () => 'opaque']) {
    const { clock } = await live(t, () => source);
    t.equal(clock.delaysMs.length, 1, 'only the heartbeat');
  }
});

t.test('4401 closes the watch if the token is a string', async (t) => {
  const { peer, watch } = await live(t, () => 'opaque');
  peer.ws.close(4401);
  t.match(await watch.closed, { rejected: true, code: 4401, reason: 'token missing or expired' });
});

t.test('a source that fails at the start is called again later', async (t) => {
  const gateway = await FakeGateway.start(t);
  const clock = new ManualRuntime();
  let asked = 0;
  const token = async (): Promise<string> => {
    if (++asked < 3) throw new Error('no file');
    return 'opaque';
  };
  const watch = createClient({ url: gateway.url, token }, clock.runtime).watchVm('vm-1');
  t.teardown(() => watch.close());
  for (const delayMs of [1_000, 2_000]) {
    t.match(await phase(watch, 'reconnecting'), {
      reason: 'there is no token: Error: no file',
      nextTryMs: clock.nowMs + delayMs,
    });
    clock.advance(delayMs);
    await phase(watch, 'connecting');
  }
  t.match(await gateway.peers.next(), { offered: 'lablink.v1,bearer.opaque' });
});

t.test('which token to connect with', async (t) => {
  let count = 0;
  const source = (leftS: number) => async (): Promise<string> =>
    jwt({ exp: Date.now() / 1000 + leftS, n: ++count });

  const good = new TokenCache(source(3_600), platform);
  t.equal(await good.get(), await good.get(), 'the current token while it is valid');
  const held = await good.get();
  good.invalidate();
  t.not(await good.get(), held, 'another after a rejection');

  const ending = new TokenCache(source(5), platform);
  t.not(await ending.get(), await ending.get(), 'another if it expires soon');

  const text = new TokenCache('plain', platform);
  text.invalidate();
  t.equal(await text.get(), 'plain');
  t.notOk(text.renewable);
});
