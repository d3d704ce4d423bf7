// `Accept` selects an event stream only where the client names it and prefers it to JSON.

import t from 'tap';
import { prefersEventStream } from '../../../../src/gateway/http/request/accept.js';

const CASES: Readonly<Record<string, boolean>> = {
  'text/event-stream': true,
  'Text/Event-Stream ; charset=utf-8': true,
  'text/event-stream, */*': true,
  'application/json;q=0.5, text/event-stream': true,
  'application/json, text/event-stream;q=0.9': false,
  'application/json, text/event-stream': false,
  'text/event-stream;q=0': false,
  'text/event-stream;q=nonsense': true,
  'text/*': false,
  '*/*': false,
  'application/json': false,
  '': false,
};

for (const [accept, expected] of Object.entries(CASES)) {
  t.equal(prefersEventStream(accept), expected, accept);
}
