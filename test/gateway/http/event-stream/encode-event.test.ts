// A message becomes one event, whatever text it has; the last event has the meaning of a close
// frame.

import t from 'tap';
import {
  encodeClose,
  encodeEvent,
  encodeRetry,
} from '../../../../src/gateway/http/event-stream/encode-event.js';
import { CLOSE } from '../../../../src/protocol/close-codes.js';

t.test('the data of an event is the message', (t) => {
  t.equal(
    encodeEvent('{"type":"pong"}', undefined).toString(),
    'data: {"type":"pong"}\n\n',
    'without a cursor the id is unchanged',
  );
  t.equal(encodeEvent('{}', 'e.7').toString(), 'id: e.7\ndata: {}\n\n');
  t.equal(encodeEvent('{}', '').toString(), 'id: \ndata: {}\n\n', 'an empty id forgets the last');
  t.end();
});

t.test('a line break between the parts of a column begins another line of data', (t) => {
  const text = '{"vm":{"notes":{\r\n"a":1,\r"b":\n2}}}';
  const event = encodeEvent(text, undefined).toString();
  const lines = event.slice(0, -2).split('\n');
  t.ok(lines.every((line) => line.startsWith('data: ')));
  const data = lines.map((line) => line.slice('data: '.length)).join('\n');
  t.same(JSON.parse(data), JSON.parse(text));
  t.end();
});

t.test('a message for several streams is encoded once', (t) => {
  const frame = Buffer.from('{"é":"漢字"}');
  const event = encodeEvent(frame, 'e.1');
  t.equal(event.toString(), 'id: e.1\ndata: {"é":"漢字"}\n\n');
  t.equal(encodeEvent(frame, 'e.1'), event);
  t.end();
});

t.test('a close says why, and when an automatic client returns', (t) => {
  const text = encodeClose(CLOSE.restart, 0);
  t.equal(text, 'event: close\nretry: 1000\ndata: {"code":1012,"reason":"restarting"}\n\n');
  const latest = (close: (typeof CLOSE)[keyof typeof CLOSE]) =>
    Number(/retry: (\d+)/.exec(encodeClose(close, 0.999))?.[1]);
  t.ok(latest(CLOSE.overloaded) > latest(CLOSE.restart), 'later is later than soon');
  t.ok(latest(CLOSE.replaced) > latest(CLOSE.overloaded), 'a client that must not return waits');
  t.not(encodeRetry('soon', 0), encodeRetry('soon', 0.5), 'pauses differ');
  t.end();
});
