import t from 'tap';
import {
  ConnectionSlots,
  type ConnectingClient,
} from '../../../src/gateway/session/connection-slots.js';

const visitor = (
  sub: string,
  address?: string,
  role: 'admin' | 'dashboard' = 'admin',
): ConnectingClient => ({
  address,
  identity: { role, sub },
});

t.test('so many in all, whoever they are', async (t) => {
  const places = new ConnectionSlots({ total: 2, perAddress: 9, perIdentity: 9 });
  const giveBack = places.acquire(visitor('a', '192.0.2.1'));
  t.equal(places.findRejection(visitor('b', '192.0.2.2')), undefined);
  places.acquire(visitor('b', '192.0.2.2'));
  t.equal(places.findRejection(visitor('c', '192.0.2.3')), 'too_many_sockets');
  giveBack();
  t.equal(places.findRejection(visitor('c', '192.0.2.3')), undefined);
  t.equal(places.inUse, 1);
});

t.test('so many from one address; an address that says nothing is not counted', async (t) => {
  const places = new ConnectionSlots({ total: 9, perAddress: 1, perIdentity: 9 });
  const giveBack = places.acquire(visitor('a', '192.0.2.1'));
  t.equal(places.findRejection(visitor('b', '192.0.2.1')), 'too_many_sockets_of_address');
  t.equal(places.findRejection(visitor('b', '192.0.2.2')), undefined);
  giveBack();
  t.equal(places.findRejection(visitor('b', '192.0.2.1')), undefined);
  for (let n = 0; n < 3; n++) places.acquire(visitor('a'));
  t.equal(places.findRejection(visitor('a')), undefined);
});

t.test('so many of one role and sub', async (t) => {
  const places = new ConnectionSlots({ total: 9, perAddress: 9, perIdentity: 1 });
  const giveBack = places.acquire(visitor('a', '192.0.2.1'));
  t.equal(places.findRejection(visitor('a', '192.0.2.2')), 'too_many_sockets_of_identity');
  t.equal(places.findRejection(visitor('b', '192.0.2.1')), undefined);
  t.equal(places.findRejection(visitor('a', '192.0.2.1', 'dashboard')), undefined);
  giveBack();
  t.equal(places.findRejection(visitor('a', '192.0.2.2')), undefined);
});

t.test(
  'the own share is named before the whole: the client can do something about it',
  async (t) => {
    const places = new ConnectionSlots({ total: 1, perAddress: 1, perIdentity: 1 });
    places.acquire(visitor('a', '192.0.2.1'));
    t.equal(places.findRejection(visitor('a', '192.0.2.1')), 'too_many_sockets_of_identity');
    t.equal(places.findRejection(visitor('b', '192.0.2.1')), 'too_many_sockets_of_address');
    t.equal(places.findRejection(visitor('b', '192.0.2.2')), 'too_many_sockets');
  },
);
