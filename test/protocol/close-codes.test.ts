import t from 'tap';
import { CLOSE, decideReturn } from '../../src/protocol/close-codes.js';

const codes = Object.values(CLOSE);

t.test('every code says how to reconnect', async (t) => {
  for (const close of codes) t.equal(decideReturn(close.code), close.return, String(close.code));
});

t.test('a code that the gateway never sends means to reconnect soon', async (t) => {
  for (const code of [1000, 1001, 1006, 3000, 4999]) t.equal(decideReturn(code), 'soon');
});

t.test(
  'every code is unique and allowed in a close frame, and its reason fits the frame',
  async (t) => {
    t.equal(new Set(codes.map(({ code }) => code)).size, codes.length);
    for (const { code, reason } of codes) {
      t.ok((code >= 1007 && code <= 1014) || (code >= 4000 && code <= 4999), String(code));
      t.ok(Buffer.byteLength(reason) <= 123);
    }
  },
);
