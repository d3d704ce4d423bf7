import fc from 'fast-check';
import t from 'tap';
import { CLOSE } from '../../src/protocol/close-codes.js';
import { parseClientFrame } from '../../src/protocol/parse.js';

const ID = '6b1e9a34-0c4d-4f5e-8a6b-0123456789ab';

t.test('accepts every message, also with unknown fields', async (t) => {
  const messages = [
    { type: 'ack', assignment_id: ID },
    { type: 'status', status: 'failed' },
    { type: 'status', status: 'available', assignment_id: ID.toUpperCase() },
    { type: 'auth', token: 'a.b.c', since: 7 },
    { type: 'ping' },
  ];
  for (const message of messages) {
    t.same(parseClientFrame(JSON.stringify(message)), { kind: 'message', message });
  }
});

t.test('closes the socket for text that is not JSON', async (t) => {
  for (const text of ['', 'hello', '{', '{"type":"ping"', "{'type':'ping'}", 'undefined', '\0']) {
    t.same(parseClientFrame(text), { kind: 'close', close: CLOSE.badFrame }, JSON.stringify(text));
  }
});

t.test('rejects JSON that is not a message, and leaves the socket open', async (t) => {
  for (const value of [null, 1, 'ping', true, [], ['type'], {}, { typ: 'ping' }]) {
    t.match(parseClientFrame(JSON.stringify(value)), { kind: 'rejected', code: 'invalid_message' });
  }
});

t.test('rejects an unknown type with its own code', async (t) => {
  for (const type of ['hello', '', 1, null, {}, 'constructor', '__proto__', 'Ping']) {
    t.match(parseClientFrame(JSON.stringify({ type })), { kind: 'rejected', code: 'unknown_type' });
  }
});

t.test('names the field that is missing or wrong', async (t) => {
  const wrong: readonly [object, RegExp][] = [
    [{ type: 'ack' }, /assignment_id/],
    [{ type: 'ack', assignment_id: 'x' }, /assignment_id/],
    [{ type: 'ack', assignment_id: `${ID}\n` }, /assignment_id/],
    [{ type: 'status' }, /status/],
    [{ type: 'status', status: 'in-use' }, /failed or available/],
    [{ type: 'status', status: 'failed', assignment_id: 7 }, /assignment_id/],
    [{ type: 'auth' }, /token/],
    [{ type: 'auth', token: 7 }, /token/],
  ];
  for (const [message, named] of wrong) {
    const frame = parseClientFrame(JSON.stringify(message));
    t.match(frame, { kind: 'rejected', code: 'invalid_message', message: named });
  }
});

t.test('never throws, however deeply the text is nested', async (t) => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void parseClientFrame(text)));
  fc.assert(fc.property(fc.json(), (text) => void parseClientFrame(text)));
  const deep = '['.repeat(8_000) + ']'.repeat(8_000);
  t.match(parseClientFrame(deep), { kind: 'rejected' });
  t.match(parseClientFrame(`{"type":"ack","assignment_id":${deep}}`), { kind: 'rejected' });
});
