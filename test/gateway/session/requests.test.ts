// What a session makes of its client's messages.

import t from 'tap';
import { CLOSE } from '../../../src/protocol/close-codes.js';
import type { Session } from '../../../src/gateway/session/session.js';
import { identityOf, setUp, settled } from './gateway.js';

const ASSIGNMENT = '7c9e6679-7425-40de-944b-e07fc1f90ae7';
const ACK = { type: 'ack', assignment_id: ASSIGNMENT };
const FAILED = { type: 'status', status: 'failed', assignment_id: ASSIGNMENT };
const AUTH = { type: 'auth', token: 'fresh' };

t.test('an answer to ping', async (t) => {
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

t.test('JSON that is understood and refused is an error, and the socket stays open', async (t) => {
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
  'an agent may acknowledge and report; success is silent, a refusal is an error',
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

t.test('nobody but an agent may acknowledge or report', async (t) => {
  for (const role of ['dashboard', 'admin'] as const) {
    const { socket, say, requests } = setUp({ role });
    for (const message of [ACK, FAILED]) {
      say(message);
      t.match(socket.messages(), [{ type: 'error', code: 'not_allowed' }]);
    }
    t.strictSame([requests.asked, socket.closes], [[], []]);
  }
});

t.test('a client with too many unanswered requests is closed', async (t) => {
  const { socket, say, requests } = setUp();
  for (let i = 0; i < 16; i++) say(ACK);
  await settled();
  t.strictSame(socket.closes, []);
  requests.verified = { ok: true, identity: identityOf('agent') };
  say(AUTH);
  t.strictSame(socket.closes, [], 'a renewal waits for nothing');
  say(ACK);
  t.strictSame(socket.closes, [CLOSE.tooMany]);
  for (let i = 0; i < 20; i++) {
    requests.pending.shift()?.resolve();
    await settled();
  }
  t.equal(requests.asked.length, 17, 'the last was not asked');
});

t.test('what an agent asks is done in turn; a renewal does not wait for it', async (t) => {
  const { say, requests } = setUp();
  for (const message of [ACK, FAILED, ACK]) say(message);
  await settled();
  t.equal(requests.asked.length, 1);
  say(AUTH);
  await settled();
  t.equal(requests.asked.length, 2, 'the renewal');
  requests.pending[0]?.reject(new Error('a bug'));
  await settled();
  t.equal(requests.asked.length, 3, 'the next, whatever became of the one before');
});

t.test('requests that are answered, or fail, no longer count', async (t) => {
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

t.test('a request that rejects is told as a bug, and the socket stays open', async (t) => {
  const { socket, say, requests, bugs } = setUp();
  const error = new Error('a bug');
  say(ACK);
  requests.pending[0]?.reject(error);
  await settled();
  t.strictSame(bugs, [error]);
  t.strictSame([socket.closes, socket.messages()], [[], []]);
});

t.test('an answer that cannot be sent is told as a bug', async (t) => {
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

t.test('answers that find no room are dropped', async (t) => {
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

t.test('too many messages or Pings end the session, and are counted once', async (t) => {
  const says: ((session: Session, nowMs: number) => void)[] = [
    (session, nowMs) => session.recordActivity(nowMs),
    (session, nowMs) => session.receive('{"type":"ping"}', nowMs),
    (session, nowMs) => session.receive('{"type":"what?"}', nowMs),
  ];
  for (const say of says) {
    const { socket, session, refusals, stream } = setUp();
    for (let n = 0; n < 100; n++) say(session, 0);
    t.strictSame(socket.closes, []);
    const answers = socket.frames.length;
    for (let n = 0; n < 3; n++) say(session, 0);
    t.strictSame([socket.closes, stream.stops], [[CLOSE.tooMany], 1]);
    t.strictSame(refusals, ['too_many_messages']);
    t.equal(socket.frames.length, answers, 'the one too many is not answered');
  }
});

t.test('large messages end it sooner', async (t) => {
  const { socket, session } = setUp();
  for (let n = 0; n < 6; n++) session.receive(`"${'x'.repeat(16 * 1024 - 2)}"`, 0);
  t.strictSame(socket.closes, [CLOSE.tooMany]);
});
