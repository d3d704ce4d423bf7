// Unread responses are bounded: the largest go first, and a single one stays.

import t from 'tap';
import {
  MAX_UNREAD_BYTES,
  MAX_UNREAD_BYTES_OF_IDENTITY,
  UnreadResponses,
} from '../../../../src/gateway/http/limits/unread-responses.js';

function createSocket(writableLength: number) {
  const socket = { writableLength, destroyed: false, destroy: () => socket };
  socket.destroy = () => Object.assign(socket, { destroyed: true });
  return socket as typeof socket & { destroy: () => never };
}

t.test('the largest of an identity goes, and no other identity', async (t) => {
  const unread = new UnreadResponses();
  const third = MAX_UNREAD_BYTES_OF_IDENTITY / 3;
  const other = createSocket(third * 2);
  const [first, second, last] = [createSocket(third), createSocket(third + 2), createSocket(third)];
  unread.add(other, 'b');
  for (const socket of [first, second, last]) unread.add(socket, 'a');
  t.same(
    [first, second, last, other].map(({ destroyed }) => destroyed),
    [false, true, false, false],
  );
});

t.test('the largest of all goes', async (t) => {
  const unread = new UnreadResponses();
  const size = MAX_UNREAD_BYTES_OF_IDENTITY - 1;
  const sockets = Array.from({ length: 6 }, (_, n) => createSocket(size - n));
  for (const [n, socket] of sockets.entries()) unread.add(socket, `of ${n}`);
  t.same(
    sockets.map(({ destroyed }) => destroyed),
    [true, true, false, false, false, false],
  );
});

t.test('one that is read makes room, and a single one may be larger', async (t) => {
  const unread = new UnreadResponses();
  for (let n = 0; n < 100; n++) {
    const socket = createSocket(MAX_UNREAD_BYTES + 1);
    const remove = unread.add(socket, 'a');
    t.notOk(socket.destroyed);
    remove();
  }
});
