// When a session ends: token expiry, heartbeats and sweeps.

import t from 'tap';
import { CLOSE } from '../../../src/protocol/close-codes.js';
import type { Session } from '../../../src/gateway/session/session.js';
import { EXPIRES_AT_MS, HEARTBEAT_MS, createIdentity, setUp } from './gateway.js';

const AUTH = { type: 'auth', token: 'fresh' };
const LATER_MS = EXPIRES_AT_MS + 1_000_000;

t.test('a renewed token of the same identity extends the session without a reply', async (t) => {
  const { socket, say, requests, session } = setUp();
  requests.verified = { ok: true, identity: createIdentity('agent', 'vm-1', LATER_MS) };
  say(AUTH);
  t.strictSame(requests.asked, [['verify', 'fresh']]);
  session.sweep(0, LATER_MS - 1);
  t.strictSame([socket.messages(), socket.closes], [[], []]);
  t.equal(session.identity.expiresAtMs, LATER_MS);
  session.sweep(0, LATER_MS);
  t.strictSame(socket.closes, [CLOSE.tokenExpired]);
});

t.test('a token that is invalid or of another identity closes the session', async (t) => {
  const others = [
    { ok: true, identity: createIdentity('agent', 'vm-2') },
    { ok: true, identity: createIdentity('admin', 'vm-1') },
    { ok: false, reason: 'expired' },
    { ok: false, reason: 'not_yet_valid' },
    { ok: false, reason: 'invalid' },
  ] as const;
  for (const verified of others) {
    const { socket, say, requests, stream, session } = setUp();
    requests.verified = verified;
    say(AUTH);
    t.strictSame(socket.closes, [verified.ok ? CLOSE.notAllowed : CLOSE.tokenExpired]);
    t.strictSame([stream.stops, session.identity], [1, createIdentity('agent')]);
  }
});

t.test('a token expires by the wall clock, not by the monotonic clock', async (t) => {
  const { socket, session } = setUp({ nowMs: 9e15 });
  session.sweep(9e15, EXPIRES_AT_MS - 1);
  t.strictSame(socket.closes, []);
  session.sweep(9e15, EXPIRES_AT_MS);
  t.strictSame(socket.closes, [CLOSE.tokenExpired]);
});

t.test('a jump of the wall clock does not count as silence', async (t) => {
  const { socket, session } = setUp();
  session.sweep(1, EXPIRES_AT_MS - 1);
  session.sweep(2, 0);
  session.sweep(3, EXPIRES_AT_MS - 1);
  t.strictSame(socket.closes, []);
});

t.test('a Ping is sent once per heartbeat interval, the first within the first', async (t) => {
  const { socket, session } = setUp();
  const sweepUntil = (fromMs: number, toMs: number): void => {
    for (let nowMs = fromMs; nowMs <= toMs; nowMs += 100) {
      session.recordActivity(nowMs);
      session.sweep(nowMs, 0);
    }
  };
  sweepUntil(0, HEARTBEAT_MS);
  t.ok(socket.pings >= 1 && socket.pings <= 2, 'one, or two if the first was sent at once');
  const pings = socket.pings;
  sweepUntil(HEARTBEAT_MS + 100, 11 * HEARTBEAT_MS);
  t.ok(Math.abs(socket.pings - pings - 10) <= 1, '10 in 10 heartbeats, but for rounding');
});

t.test('sockets opened together are not pinged together', async (t) => {
  const early = Array.from({ length: 200 }, () => setUp()).filter(({ session, socket }) => {
    session.sweep(HEARTBEAT_MS / 2, 0);
    return socket.pings > 0;
  });
  // Each falls on either side like a coin: 2^-200 that all fall on one.
  t.ok(early.length > 0 && early.length < 200, 'some in each half of the first heartbeat');
});

t.test('silence for two heartbeat intervals closes the session; any message counts', async (t) => {
  const signs: ((session: Session, nowMs: number) => void)[] = [
    (session, nowMs) => session.recordActivity(nowMs),
    (session, nowMs) => session.receive('{"type":"ping"}', nowMs),
  ];
  for (const sign of signs) {
    const { socket, session } = setUp();
    session.sweep(2 * HEARTBEAT_MS, 0);
    sign(session, 2 * HEARTBEAT_MS);
    session.sweep(4 * HEARTBEAT_MS, 0);
    t.strictSame(socket.closes, []);
    session.sweep(4 * HEARTBEAT_MS + 1, 0);
    t.strictSame(socket.closes, [CLOSE.silent]);
  }
});

t.test(
  'a lagging client that reads nothing for two intervals is closed, even if it sends',
  async (t) => {
    const { socket, stream, session } = setUp();
    const sweep = (nowMs: number): void => {
      session.recordActivity(nowMs);
      session.sweep(nowMs, 0);
    };
    socket.bufferedAmount = 1;
    sweep(100 * HEARTBEAT_MS);
    t.strictSame(socket.closes, [], 'not lagging: nothing is pending');
    stream.lagging = true;
    sweep(102 * HEARTBEAT_MS);
    t.strictSame(socket.closes, [], 'the time begins when it starts to lag');
    session.handleDrain(102 * HEARTBEAT_MS);
    sweep(104 * HEARTBEAT_MS);
    t.strictSame(socket.closes, [], 'it read');
    sweep(104 * HEARTBEAT_MS + 1);
    t.strictSame(socket.closes, [CLOSE.silent]);
  },
);

t.test('a sweep sends what is pending when the socket has emptied without an event', async (t) => {
  const { socket, stream, session } = setUp();
  stream.lagging = true;
  socket.bufferedAmount = 1;
  session.sweep(1, 0);
  t.equal(stream.drains, 0);
  socket.bufferedAmount = 0;
  session.sweep(2, 0);
  t.equal(stream.drains, 1);
  session.recordActivity(2 + 2 * HEARTBEAT_MS);
  session.sweep(2 + 2 * HEARTBEAT_MS, 0);
  t.strictSame(socket.closes, []);
});
