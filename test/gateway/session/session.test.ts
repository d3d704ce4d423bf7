// The begin of a session, and that nothing is sent after its end.

import t from 'tap';
import { Fleet } from '../../../src/gateway/fleet/fleet.js';
import { Hub } from '../../../src/gateway/hub/hub.js';
import { CLOSE } from '../../../src/protocol/close-codes.js';
import { FleetStream } from '../../../src/gateway/session/fleet-stream.js';
import { Session } from '../../../src/gateway/session/session.js';
import type { Stream } from '../../../src/gateway/session/stream.js';
import { VmStream } from '../../../src/gateway/session/vm-stream.js';
import { MemorySocket } from '../../helpers/memory-socket.js';
import { vmRow } from '../hub/rows.js';
import { HEARTBEAT_MS, createIdentity, setUp, settled, StreamRecorder } from './gateway.js';

const ASSIGNMENT = '7c9e6679-7425-40de-944b-e07fc1f90ae7';
const ACK = { type: 'ack', assignment_id: ASSIGNMENT };
const AUTH = { type: 'auth', token: 'fresh' };

t.test('the client receives welcome, then the state', async (t) => {
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

t.test('a client that disconnects during welcome leaves no subscriber in the hub', async (t) => {
  const hub = new Hub(new Fleet('e', 1), ({ row }) => row, () => undefined); // prettier-ignore
  const { settings } = setUp();
  const started = (makeStream: (socket: MemorySocket) => Stream): MemorySocket => {
    const socket = new MemorySocket();
    const session = new Session(socket, makeStream(socket), settings, createIdentity('admin'), 0);
    socket.onSend = () => session.handleDisconnect();
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
  for (const socket of sockets) t.equal(socket.frames.length, 1, 'only welcome');
});

t.test('after a close nothing is sent, run or closed again', async (t) => {
  const { socket, stream, session, requests, say } = setUp();
  say(ACK);
  say(ACK);
  session.close(CLOSE.restart);
  session.close(CLOSE.silent);
  session.handleDisconnect();
  say({ type: 'ping' });
  say(ACK);
  say(AUTH);
  session.receive(undefined, 0);
  session.handleDrain(0);
  session.sweep(1e9, 1e15);
  requests.pending[0]?.resolve({ code: 'unavailable', message: '' });
  requests.pending[1]?.resolve();
  await settled();
  t.strictSame(socket.closes, [CLOSE.restart]);
  t.strictSame([socket.afterClose, socket.frames.length, requests.asked.length], [0, 0, 2]);
  t.strictSame([stream.stops, stream.drains], [1, 0]);
});

t.test('a disconnected socket is not closed, and its stream stops', async (t) => {
  const { socket, stream, session } = setUp();
  session.handleDisconnect();
  session.close(CLOSE.restart);
  t.strictSame([socket.closes, stream.stops], [[], 1]);
});

t.test('a session closed while its stream sends is not pinged', async (t) => {
  const { socket, settings } = setUp();
  const stream = new StreamRecorder();
  const session = new Session(socket, stream, settings, createIdentity('agent'), 0);
  stream.sendPending = () => session.close(CLOSE.replaced);
  session.sweep(HEARTBEAT_MS, 0);
  t.strictSame([socket.closes, socket.pings], [[CLOSE.replaced], 0]);
});

t.test(
  'a socket that fails during a flush leaves the hub, and the others receive it',
  async (t) => {
    const hub = new Hub(new Fleet('e', 1), ({ row }) => row, () => undefined); // prettier-ignore
    const { settings } = setUp();
    const join = (): { session: Session; socket: MemorySocket } => {
      const socket = new MemorySocket();
      const stream = new FleetStream(hub, socket, 'full', undefined);
      const session = new Session(socket, stream, settings, createIdentity('admin'), 0);
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
  },
);

t.test('each session has its own id, and records whether the gateway closed it', async (t) => {
  const [one, other] = [setUp(), setUp()];
  t.not(one.session.id, other.session.id);
  one.session.close(CLOSE.silent);
  one.session.close(CLOSE.restart);
  t.equal(one.session.closedWith, CLOSE.silent);
  other.session.handleDisconnect();
  other.session.close(CLOSE.restart);
  t.equal(other.session.closedWith, undefined);
  other.session.handleProtocolError(1002);
  t.equal(other.session.closedWith, undefined, 'it had disconnected');
  const third = setUp();
  third.session.handleProtocolError(1002);
  third.session.handleProtocolError(1007);
  t.same(third.session.closedWith, { code: 1002 });
});
