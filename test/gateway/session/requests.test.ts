// How a session handles its client's messages.

import t from 'tap';
import { CLOSE } from '../../../src/protocol/close-codes.js';
import type { Session } from '../../../src/gateway/session/session.js';
import { createIdentity, setUp, settled } from './gateway.js';

const ASSIGNMENT = '7c9e6679-7425-40de-944b-e07fc1f90ae7';
const ACK = { type: 'ack', assignment_id: ASSIGNMENT };
const FAILED = { type: 'status', status: 'failed', assignment_id: ASSIGNMENT };
const AUTH = { type: 'auth', token: 'fresh' };

t.test('a ping is answered by a pong', async (t) => {
  const { socket, say } = setUp();
  say({ type: 'ping' });
  t.strictSame(socket.messages(), [{ type: 'pong' }]);
});

t.test('frames that are binary or not JSON close the socket', async (t) => {
  for (const text of [undefined, '', '{', 'nonsense']) {
    const { socket, stream, session } = setUp();
    session.receive(text, 0);
    t.strictSame([socket.closes, stream.stops], [[CLOSE.badFrame], 1]);
  }
});

t.test('an invalid JSON message is answered by an error, and the socket stays open', async (t) => {
  const { socket, say, requests } = setUp();
  for (const message of [null, 1, [], {}, { type: 'ack' }, { type: 'status', status: 'in-use' }]) {
    say(message);
    t.match(socket.messages(), [{ type: 'error', code: 'invalid_message' }]);
  }
  say({ type: 'subscribe' });
  t.match(socket.messages(), [{ type: 'error', code: 'unknown_type' }]);
  t.strictSame([socket.closes, requests.asked], [[], []]);
});

t.test(
  'an agent may acknowledge and report; success has no reply, a rejection is an error',
  async (t) => {
    const { socket, say, requests } = setUp({ sub: 'vm-7' });
    say(ACK);
    say(FAILED);
    t.strictSame(requests.asked, [['acknowledge', 'vm-7', ASSIGNMENT]]);
    requests.pending[0]?.resolve();
    await settled();
    t.strictSame(requests.asked[1], ['reportStatus', 'vm-7', FAILED]);
    t.strictSame(socket.messages(), []);
    requests.pending[1]?.resolve({ code: 'stale_assignment', message: 'too late' });
    await settled();
    t.strictSame(socket.messages(), [
      { type: 'error', code: 'stale_assignment', message: 'too late' },
    ]);
  },
);

t.test('only agents may acknowledge and report', async (t) => {
  for (const role of ['dashboard', 'admin'] as const) {
    const { socket, say, requests } = setUp({ role });
    for (const message of [ACK, FAILED]) {
      say(message);
      t.match(socket.messages(), [{ type: 'error', code: 'not_allowed' }]);
    }
    t.strictSame([requests.asked, socket.closes], [[], []]);
  }
});

t.test('a client with too many pending requests is closed', async (t) => {
  const { socket, say, requests } = setUp();
  for (let i = 0; i < 16; i++) say(ACK);
  await settled();
  t.strictSame(socket.closes, []);
  requests.verified = { ok: true, identity: createIdentity('agent') };
  say(AUTH);
  t.strictSame(socket.closes, [], 'a renewal is no pending request');
  say(ACK);
  t.strictSame(socket.closes, [CLOSE.tooMany]);
  for (let i = 0; i < 20; i++) {
    requests.pending.shift()?.resolve();
    await settled();
  }
  t.equal(requests.asked.length, 17, 'the last was not run');
});

t.test('requests of an agent run in order; a renewal does not wait for them', async (t) => {
  const { say, requests } = setUp();
  for (const message of [ACK, FAILED, ACK]) say(message);
  await settled();
  t.equal(requests.asked.length, 1);
  say(AUTH);
  await settled();
  t.equal(requests.asked.length, 2, 'the renewal');
  requests.pending[0]?.reject(new Error('a bug'));
  await settled();
  t.equal(requests.asked.length, 3, 'the next, although the one before failed');
});

t.test('requests that have settled no longer count', async (t) => {
  const { socket, say, requests, bugs } = setUp();
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 16; i++) say(ACK);
    for (let i = 0; i < 16; i++) {
      await settled();
      const [asked] = requests.pending.splice(0);
      if (i % 2 === 0) asked?.resolve();
      else asked?.reject(new Error('a bug'));
    }
    await settled();
  }
  t.strictSame(socket.closes, []);
  t.equal(bugs.length, 24);
});

t.test('a request that throws is reported as a bug, and the socket stays open', async (t) => {
  const { socket, say, requests, bugs } = setUp();
  const error = new Error('a bug');
  say(ACK);
  requests.pending[0]?.reject(error);
  await settled();
  t.strictSame(bugs, [error]);
  t.strictSame([socket.closes, socket.messages()], [[], []]);
});

t.test('a reply that cannot be sent is reported as a bug', async (t) => {
  const { socket, say, requests, bugs } = setUp();
  const error = new Error('broken');
  socket.onSend = () => {
    throw error;
  };
  say(ACK);
  requests.pending[0]?.resolve({ code: 'unavailable', message: '' });
  await settled();
  t.strictSame(bugs, [error]);
});

t.test('replies are dropped if the socket is not writable', async (t) => {
  const { socket, say, requests } = setUp();
  say(ACK);
  socket.fill();
  requests.pending[0]?.resolve({ code: 'unavailable', message: '' });
  await settled();
  say({ type: 'ping' });
  say({ type: 'subscribe' });
  socket.drain();
  t.strictSame(socket.messages(), []);
  say({ type: 'ping' });
  t.strictSame(socket.messages(), [{ type: 'pong' }]);
});

t.test('too many messages or Pings close the session, counted once', async (t) => {
  const says: ((session: Session, nowMs: number) => void)[] = [
    (session, nowMs) => session.recordActivity(nowMs),
    (session, nowMs) => session.receive('{"type":"ping"}', nowMs),
    (session, nowMs) => session.receive('{"type":"what?"}', nowMs),
  ];
  for (const say of says) {
    const { socket, session, rejections, stream } = setUp();
    for (let n = 0; n < 100; n++) say(session, 0);
    t.strictSame(socket.closes, []);
    const answers = socket.frames.length;
    for (let n = 0; n < 3; n++) say(session, 0);
    t.strictSame([socket.closes, stream.stops], [[CLOSE.tooMany], 1]);
    t.strictSame(rejections, ['too_many_messages']);
    t.equal(socket.frames.length, answers, 'the message beyond the limit has no reply');
  }
});

t.test('large messages reach the limit sooner', async (t) => {
  const { socket, session } = setUp();
  for (let n = 0; n < 6; n++) session.receive(`"${'x'.repeat(16 * 1024 - 2)}"`, 0);
  t.strictSame(socket.closes, [CLOSE.tooMany]);
});
