// The window of unconfirmed bytes: a Ping follows each part, and its answer confirms what came
// before it.

import t from 'tap';
import { SendWindow } from '../../../../src/gateway/http/websocket/send-window.js';

const KIB = 1024;

t.test('a Ping follows each 64 KiB, and its answer confirms what came before it', async (t) => {
  const window = new SendWindow();
  t.notOk(window.add(63 * KIB));
  t.ok(window.add(KIB));
  const first = window.startPing();
  t.notOk(window.add(63 * KIB), 'the next part begins after a Ping');
  t.ok(window.add(KIB));
  const second = window.startPing();
  t.equal(window.unconfirmedBytes, 128 * KIB);
  t.ok(window.confirm(first));
  t.equal(window.unconfirmedBytes, 64 * KIB);
  t.ok(window.confirm(second));
  t.equal(window.unconfirmedBytes, 0);
  t.notOk(window.add(63 * KIB), 'the next part begins after what is confirmed');
});

t.test('a client may answer the latest Ping alone', async (t) => {
  const window = new SendWindow();
  window.add(64 * KIB);
  const first = window.startPing();
  window.add(KIB);
  const second = window.startPing();
  t.ok(window.confirm(second));
  t.equal(window.unconfirmedBytes, 0);
  t.notOk(window.confirm(first), 'a late answer to an earlier Ping confirms nothing');
});

t.test('a Pong that answers nothing confirms nothing', async (t) => {
  const window = new SendWindow();
  window.add(KIB);
  for (const payload of ['', '0', '1']) t.notOk(window.confirm(payload));
  const payload = window.startPing();
  t.notOk(window.confirm(''));
  t.ok(window.confirm(payload));
  t.notOk(window.confirm(payload), 'nor does a second answer');
  t.equal(window.unconfirmedBytes, 0);
});
