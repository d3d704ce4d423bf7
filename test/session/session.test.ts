import t from 'tap';
import { Fleet } from '../../src/fleet/fleet.js';
import { Hub } from '../../src/hub/hub.js';
import { CLOSE } from '../../src/protocol/close-codes.js';
import { FleetStream } from '../../src/session/fleet-stream.js';
import { Session } from '../../src/session/session.js';
import type { Stream } from '../../src/session/stream.js';
import { VmStream } from '../../src/session/vm-stream.js';
import { MemorySocket } from '../helpers/memory-socket.js';
import { vmRow } from '../hub/rows.js';
import {
  EXPIRES_AT_MS,
  HEARTBEAT_MS,
  identityOf,
  setUp,
  settled,
  StreamRecorder,
} from './gateway.js';

const ASSIGNMENT = '7c9e6679-7425-40de-944b-e07fc1f90ae7';
const ACK = { type: 'ack', assignment_id: ASSIGNMENT };
const FAILED = { type: 'status', status: 'failed', assignment_id: ASSIGNMENT };
const AUTH = { type: 'auth', token: 'fresh' };
const LATER_MS = EXPIRES_AT_MS + 1_000_000;

t.test('the client is welcomed, then told the state', async (t) => {
  const { welcome, stream } = setUp();
  t.strictSame(welcome, [
    {
      type: 'welcome',
      protocol: 'lablink.v1',
      gateway: 'g',
      heartbeat_ms: HEARTBEAT_MS,
      live: true,
    },
  ]);
  t.equal(stream.starts, 1);
});

t.test('a client that is gone with its welcome leaves nobody in the hub', async (t) => {
  const hub = new Hub(new Fleet('e', 1), ({ row }) => row, () => undefined); // prettier-ignore
  const { settings } = setUp();
  const started = (makeStream: (socket: MemorySocket) => Stream): MemorySocket => {
    const socket = new MemorySocket();
    const session = new Session(socket, makeStream(socket), settings, identityOf('admin'), 0);
    socket.onSend = () => session.ended();
    session.start(false);
    return socket;
  };
  const sockets = [
    started((socket) => new FleetStream(hub, socket, 'full', undefined)),
    started((socket) => new VmStream(hub, socket, 'a', 'full')),
  ];
  hub.publish(hub.fleet.upsert(vmRow('a', 1)));
  hub.flush();
  hub.setLive(true);
  for (const socket of sockets) t.equal(socket.frames.length, 1, 'the welcome alone');
});

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

t.test('a fresh token of the same identity prolongs the session, silently', async (t) => {
  const { socket, say, requests, session } = setUp();
  requests.verified = { ok: true, identity: identityOf('agent', 'vm-1', LATER_MS) };
  say(AUTH);
  t.strictSame(requests.asked, [['verify', 'fresh']]);
  session.sweep(0, LATER_MS - 1);
  t.strictSame([socket.messages(), socket.closes], [[], []]);
  t.equal(session.identity.expiresAtMs, LATER_MS);
  session.sweep(0, LATER_MS);
  t.strictSame(socket.closes, [CLOSE.tokenExpired]);
});

t.test('a token of another identity, or a bad one, ends the session', async (t) => {
  const others = [
    { ok: true, identity: identityOf('agent', 'vm-2') },
    { ok: true, identity: identityOf('admin', 'vm-1') },
    { ok: false, reason: 'expired' },
    { ok: false, reason: 'not_yet_valid' },
    { ok: false, reason: 'invalid' },
  ] as const;
  for (const verified of others) {
    const { socket, say, requests, stream, session } = setUp();
    requests.verified = verified;
    say(AUTH);
    t.strictSame(socket.closes, [verified.ok ? CLOSE.notAllowed : CLOSE.tokenExpired]);
    t.strictSame([stream.stops, session.identity], [1, identityOf('agent')]);
  }
});

t.test('a token expires by the clock on the wall, however the other one jumps', async (t) => {
  const { socket, session } = setUp({ nowMs: 9e15 });
  session.sweep(9e15, EXPIRES_AT_MS - 1);
  t.strictSame(socket.closes, []);
  session.sweep(9e15, EXPIRES_AT_MS);
  t.strictSame(socket.closes, [CLOSE.tokenExpired]);
});

t.test('a wall clock that jumps back or ahead is no silence', async (t) => {
  const { socket, session } = setUp();
  session.sweep(1, EXPIRES_AT_MS - 1);
  session.sweep(2, 0);
  session.sweep(3, EXPIRES_AT_MS - 1);
  t.strictSame(socket.closes, []);
});

t.test('a Ping goes out once a heartbeat, the first within the first', async (t) => {
  const { socket, session } = setUp();
  const sweepUntil = (fromMs: number, toMs: number): void => {
    for (let nowMs = fromMs; nowMs <= toMs; nowMs += 100) {
      session.alive(nowMs);
      session.sweep(nowMs, 0);
    }
  };
  sweepUntil(0, HEARTBEAT_MS);
  t.ok(socket.pings >= 1 && socket.pings <= 2, 'one, or two if the first was at once');
  const pings = socket.pings;
  sweepUntil(HEARTBEAT_MS + 100, 11 * HEARTBEAT_MS);
  t.ok(Math.abs(socket.pings - pings - 10) <= 1, '10 in 10 heartbeats, but for rounding');
});

t.test('sockets that came together are not pinged together', async (t) => {
  const early = Array.from({ length: 200 }, () => setUp()).filter(({ session, socket }) => {
    session.sweep(HEARTBEAT_MS / 2, 0);
    return socket.pings > 0;
  });
  // Each falls on either side like a coin: 2^-200 that all fall on one.
  t.ok(early.length > 0 && early.length < 200, 'some in each half of the first heartbeat');
});

t.test('silence of two heartbeats closes; any sign of life counts', async (t) => {
  const signs: ((session: Session, nowMs: number) => void)[] = [
    (session, nowMs) => session.alive(nowMs),
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
  'who is behind and reads nothing for two heartbeats is closed, though it talks',
  async (t) => {
    const { socket, stream, session } = setUp();
    const sweep = (nowMs: number): void => {
      session.alive(nowMs);
      session.sweep(nowMs, 0);
    };
    socket.bufferedAmount = 1;
    sweep(100 * HEARTBEAT_MS);
    t.strictSame(socket.closes, [], 'not behind: nothing is owed to it');
    stream.behind = true;
    sweep(102 * HEARTBEAT_MS);
    t.strictSame(socket.closes, [], 'patience begins when it falls behind');
    session.drained(102 * HEARTBEAT_MS);
    sweep(104 * HEARTBEAT_MS);
    t.strictSame(socket.closes, [], 'it read');
    sweep(104 * HEARTBEAT_MS + 1);
    t.strictSame(socket.closes, [CLOSE.silent]);
  },
);

t.test('a sweep tells what is left when the socket has emptied without a word', async (t) => {
  const { socket, stream, session } = setUp();
  stream.behind = true;
  socket.bufferedAmount = 1;
  session.sweep(1, 0);
  t.equal(stream.drains, 0);
  socket.bufferedAmount = 0;
  session.sweep(2, 0);
  t.equal(stream.drains, 1);
  session.alive(2 + 2 * HEARTBEAT_MS);
  session.sweep(2 + 2 * HEARTBEAT_MS, 0);
  t.strictSame(socket.closes, []);
});

t.test('after a close nothing is told, asked or closed again', async (t) => {
  const { socket, stream, session, requests, say } = setUp();
  say(ACK);
  say(ACK);
  session.close(CLOSE.restart);
  session.close(CLOSE.silent);
  session.ended();
  say({ type: 'ping' });
  say(ACK);
  say(AUTH);
  session.receive(undefined, 0);
  session.drained(0);
  session.sweep(1e9, 1e15);
  requests.pending[0]?.resolve({ code: 'unavailable', message: '' });
  requests.pending[1]?.resolve();
  await settled();
  t.strictSame(socket.closes, [CLOSE.restart]);
  t.strictSame([socket.afterClose, socket.frames.length, requests.asked.length], [0, 0, 2]);
  t.strictSame([stream.stops, stream.drains], [1, 0]);
});

t.test('a socket that is gone is not closed, and its stream ends', async (t) => {
  const { socket, stream, session } = setUp();
  session.ended();
  session.close(CLOSE.restart);
  t.strictSame([socket.closes, stream.stops], [[], 1]);
});

t.test('a session that is closed while its stream drains is not pinged', async (t) => {
  const { socket, settings } = setUp();
  const stream = new StreamRecorder();
  const session = new Session(socket, stream, settings, identityOf('agent'), 0);
  stream.drained = () => session.close(CLOSE.replaced);
  session.sweep(HEARTBEAT_MS, 0);
  t.strictSame([socket.closes, socket.pings], [[CLOSE.replaced], 0]);
});

t.test('a socket that fails under a flush leaves the hub, and the others are told', async (t) => {
  const hub = new Hub(new Fleet('e', 1), ({ row }) => row, () => undefined); // prettier-ignore
  const { settings } = setUp();
  const join = (): { session: Session; socket: MemorySocket } => {
    const socket = new MemorySocket();
    const stream = new FleetStream(hub, socket, 'full', undefined);
    const session = new Session(socket, stream, settings, identityOf('admin'), 0);
    session.start(false);
    socket.take();
    return { session, socket };
  };
  const [failing, other] = [join(), join()];
  failing.socket.onSend = () => failing.session.close(CLOSE.overloaded);
  for (const version of [1, 2]) {
    hub.publish(hub.fleet.upsert(vmRow('a', version)));
    hub.flush();
  }
  t.strictSame([failing.socket.frames.length, failing.socket.afterClose], [1, 0]);
  t.equal(other.socket.frames.length, 2);
});

t.test('too many messages or Pings end the session, and are counted once', async (t) => {
  const says: ((session: Session, nowMs: number) => void)[] = [
    (session, nowMs) => session.alive(nowMs),
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

t.test('each session has a name of its own, and knows whether the gateway closed it', async (t) => {
  const [one, other] = [setUp(), setUp()];
  t.not(one.session.id, other.session.id);
  one.session.close(CLOSE.silent);
  one.session.close(CLOSE.restart);
  t.equal(one.session.closedWith, CLOSE.silent);
  other.session.ended();
  other.session.close(CLOSE.restart);
  t.equal(other.session.closedWith, undefined);
  other.session.broken(1002);
  t.equal(other.session.closedWith, undefined, 'it had gone');
  const third = setUp();
  third.session.broken(1002);
  third.session.broken(1007);
  t.same(third.session.closedWith, { code: 1002 });
});
