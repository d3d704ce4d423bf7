// Each request has an id in its response and its log lines: that of its header if it is safe for a
// log.

import t from 'tap';
import { pino } from 'pino';
import { createServer } from '../../../../src/gateway/http/server.js';

const lines: { reqId?: string; msg: string }[] = [];
const log = pino({ level: 'debug' }, { write: (line) => lines.push(JSON.parse(line) as never) });
const server = createServer(log, false);
server.get('/', async (request) => request.id);

const MADE = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

t.test('keeps the id of the header', async (t) => {
  for (const id of ['a', 'A.b_c-9', 'x'.repeat(64)]) {
    const response = await server.inject({ url: '/', headers: { 'X-Request-Id': id } });
    t.equal(response.body, id);
    t.equal(response.headers['x-request-id'], id);
    t.ok(
      lines.some(({ reqId, msg }) => reqId === id && msg === 'answered'),
      'in the log',
    );
  }
});

t.test('replaces an id that is not safe for a log', async (t) => {
  for (const id of [undefined, '', 'x'.repeat(65), 'a b', 'a\tb', '"', 'é', '{"msg":"forged"}']) {
    const headers = id === undefined ? {} : { 'X-Request-Id': id };
    const response = await server.inject({ url: '/', headers });
    t.match(response.body, MADE, JSON.stringify(id));
    t.equal(response.headers['x-request-id'], response.body);
  }
});

t.test('every response has an id, also without a route', async (t) => {
  for (const url of ['/nothing', '/%', `/${'x'.repeat(20_000)}`]) {
    const response = await server.inject({ url, headers: { 'X-Request-Id': 'mine' } });
    t.equal(response.headers['x-request-id'], 'mine', url.slice(0, 10));
  }
});
