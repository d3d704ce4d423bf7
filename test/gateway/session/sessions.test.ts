import t from 'tap';
import type { Role } from '../../../src/gateway/auth/roles.js';
import { CLOSE } from '../../../src/protocol/close-codes.js';
import { Sessions } from '../../../src/gateway/session/sessions.js';
import { EXPIRES_AT_MS, setUp } from './gateway.js';

function open(sessions: Sessions, role: Role, sub: string) {
  const opened = setUp({ role, sub });
  sessions.add(opened.session);
  return opened;
}

t.test('a newer agent replaces an older one of its hostname', async (t) => {
  const sessions = new Sessions();
  const older = open(sessions, 'agent', 'vm-1');
  const newer = open(sessions, 'agent', 'vm-1');
  t.strictSame([older.socket.closes, newer.socket.closes], [[CLOSE.replaced], []]);
  sessions.remove(older.session);
  const newest = open(sessions, 'agent', 'vm-1');
  t.strictSame([newer.socket.closes, newest.socket.closes], [[CLOSE.replaced], []]);
  t.equal(sessions.size, 2);
});

t.test('agents of other hostnames, dashboards and admins are not replaced', async (t) => {
  const sessions = new Sessions();
  const opened = [
    open(sessions, 'agent', 'vm-1'),
    open(sessions, 'agent', 'vm-2'),
    open(sessions, 'dashboard', 'vm-1'),
    open(sessions, 'dashboard', 'vm-1'),
    open(sessions, 'admin', 'vm-1'),
  ];
  for (const { socket } of opened) t.strictSame(socket.closes, []);
  t.equal(sessions.size, opened.length);
});

t.test('an agent that left is not closed by the next', async (t) => {
  const sessions = new Sessions();
  const left = open(sessions, 'agent', 'vm-1');
  sessions.remove(left.session);
  open(sessions, 'agent', 'vm-1');
  t.strictSame(left.socket.closes, []);
});

t.test(
  'a session that only watches does not affect the agent of the same name when it leaves',
  async (t) => {
    const sessions = new Sessions();
    const agent = open(sessions, 'agent', 'vm-1');
    sessions.remove(open(sessions, 'admin', 'vm-1').session);
    open(sessions, 'agent', 'vm-1');
    t.strictSame(agent.socket.closes, [CLOSE.replaced]);
  },
);

t.test('a replaced agent whose socket closes at once does not remove the newer one', async (t) => {
  const sessions = new Sessions();
  const older = open(sessions, 'agent', 'vm-1');
  older.socket.close = () => sessions.remove(older.session);
  const newer = open(sessions, 'agent', 'vm-1');
  open(sessions, 'agent', 'vm-1');
  t.strictSame(newer.socket.closes, [CLOSE.replaced]);
});

t.test('one sweep covers all sessions, and any may end in it', async (t) => {
  const sessions = new Sessions();
  const opened = ['vm-1', 'vm-2', 'vm-3'].map((sub) => open(sessions, 'agent', sub));
  for (const { socket, session } of opened) {
    socket.close = (close) => {
      socket.closes.push(close);
      sessions.remove(session);
    };
  }
  sessions.sweep(0, EXPIRES_AT_MS - 1);
  for (const { socket } of opened) t.strictSame(socket.closes, []);
  sessions.sweep(0, EXPIRES_AT_MS);
  for (const { socket } of opened) t.strictSame(socket.closes, [CLOSE.tokenExpired]);
  t.equal(sessions.size, 0);
});

t.test('closeAll closes every session', async (t) => {
  const sessions = new Sessions();
  const opened = (['agent', 'dashboard', 'admin'] as const).map((role) =>
    open(sessions, role, 'vm-1'),
  );
  sessions.closeAll(CLOSE.restart);
  for (const { socket, stream } of opened) {
    t.strictSame([socket.closes, stream.stops], [[CLOSE.restart], 1]);
  }
});

const MIB = 1024 * 1024;

t.test('the sessions with most unsent bytes are closed when the total is too large', async (t) => {
  const sessions = new Sessions();
  const opened = [10, 100, 60, 1, 90].map((mib, n) => {
    const one = open(sessions, 'dashboard', `wall-${n}`);
    one.socket.bufferedAmount = mib * MIB;
    return one;
  });
  const closed = () => opened.map(({ socket }) => socket.closes);
  sessions.sweep(0, 0);
  t.strictSame(closed(), [[], [CLOSE.overloaded], [], [], []], '261 MiB: the largest is closed');
  t.strictSame(
    opened.map(({ rejections }) => rejections),
    [[], ['overloaded'], [], [], []],
  );
  sessions.sweep(1, 0);
  t.equal(closed().flat().length, 1, 'unsent bytes of closed sessions do not count');
  for (const { socket } of opened) socket.bufferedAmount = 86 * MIB;
  sessions.sweep(2, 0);
  t.equal(closed().flat().length, 3, '344 MiB: two more');
});

t.test('few sessions may each reach their own limit', async (t) => {
  const sessions = new Sessions();
  const opened = Array.from({ length: 1_000 }, () => open(sessions, 'dashboard', 'wall'));
  for (const { socket } of opened) socket.fill();
  sessions.sweep(0, 0);
  t.equal(opened.filter(({ socket }) => socket.closes.length > 0).length, 0);
});

t.test('conflated changes of ended sessions stay counted, once', async (t) => {
  const sessions = new Sessions();
  const [one, other] = [open(sessions, 'agent', 'vm-1'), open(sessions, 'agent', 'vm-2')];
  one.stream.conflated = 2;
  other.stream.conflated = 3;
  t.same(sessions.conflated, { vm: 5, fleet: 0 });
  sessions.remove(one.session);
  sessions.remove(one.session);
  t.same(sessions.conflated, { vm: 5, fleet: 0 });
  t.same([...sessions], [other.session]);
});
