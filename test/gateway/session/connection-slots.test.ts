import t from 'tap';
import {
  ConnectionSlots,
  type ConnectingClient,
} from '../../../src/gateway/session/connection-slots.js';

const client = (
  sub: string,
  address?: string,
  role: 'admin' | 'dashboard' = 'admin',
): ConnectingClient => ({
  address,
  identity: { role, sub },
});

t.test('the total is limited, whatever the client', async (t) => {
  const slots = new ConnectionSlots({ total: 2, perAddress: 9, perIdentity: 9 });
  const release = slots.acquire(client('a', '192.0.2.1'));
  t.equal(slots.findRejection(client('b', '192.0.2.2')), undefined);
  slots.acquire(client('b', '192.0.2.2'));
  t.equal(slots.findRejection(client('c', '192.0.2.3')), 'too_many_sockets');
  release();
  t.equal(slots.findRejection(client('c', '192.0.2.3')), undefined);
  t.equal(slots.inUse, 1);
});

t.test('slots per address are limited; an undefined address is not counted', async (t) => {
  const slots = new ConnectionSlots({ total: 9, perAddress: 1, perIdentity: 9 });
  const release = slots.acquire(client('a', '192.0.2.1'));
  t.equal(slots.findRejection(client('b', '192.0.2.1')), 'too_many_sockets_of_address');
  t.equal(slots.findRejection(client('b', '192.0.2.2')), undefined);
  release();
  t.equal(slots.findRejection(client('b', '192.0.2.1')), undefined);
  for (let n = 0; n < 3; n++) slots.acquire(client('a'));
  t.equal(slots.findRejection(client('a')), undefined);
});

t.test('slots per role and sub are limited', async (t) => {
  const slots = new ConnectionSlots({ total: 9, perAddress: 9, perIdentity: 1 });
  const release = slots.acquire(client('a', '192.0.2.1'));
  t.equal(slots.findRejection(client('a', '192.0.2.2')), 'too_many_sockets_of_identity');
  t.equal(slots.findRejection(client('b', '192.0.2.1')), undefined);
  t.equal(slots.findRejection(client('a', '192.0.2.1', 'dashboard')), undefined);
  release();
  t.equal(slots.findRejection(client('a', '192.0.2.2')), undefined);
});

t.test(
  'the own limit is reported before the total, because the client can act on it',
  async (t) => {
    const slots = new ConnectionSlots({ total: 1, perAddress: 1, perIdentity: 1 });
    slots.acquire(client('a', '192.0.2.1'));
    t.equal(slots.findRejection(client('a', '192.0.2.1')), 'too_many_sockets_of_identity');
    t.equal(slots.findRejection(client('b', '192.0.2.1')), 'too_many_sockets_of_address');
    t.equal(slots.findRejection(client('b', '192.0.2.2')), 'too_many_sockets');
  },
);
