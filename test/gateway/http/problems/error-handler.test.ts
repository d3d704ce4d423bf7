// Input that is not a request, and requests rejected before their handler, are answered with
// problems. The tests use a TCP socket if a client would not send such input.

import { connect } from 'node:net';
import t, { type Test } from 'tap';
import { pino } from 'pino';
import { collectMethods } from '../../../../src/gateway/http/plugins/methods.js';
import { PROBLEMS, type ProblemCode } from '../../../../src/gateway/http/problems/problem.js';
import { createServer } from '../../../../src/gateway/http/server.js';

interface Problem {
  readonly status: number;
  readonly code: ProblemCode;
  readonly headers: string;
}

/** Starts a server, and returns what it sends in response to these bytes before it closes. */
async function listening(t: Test) {
  const server = createServer(pino({ level: 'silent' }), false);
  t.teardown(() => server.close());
  const answerOtherMethods = collectMethods(server);
  server.post('/', async () => 'ok');
  server.get('/', async () => 'ok');
  answerOtherMethods();
  const url = new URL(await server.listen({ host: '127.0.0.1', port: 0 }));
  const exchange = async (bytes: string): Promise<string> => {
    const socket = connect({ host: url.hostname, port: Number(url.port) });
    socket.on('error', () => undefined); // The server may close before all is written.
    socket.write(bytes, 'latin1');
    return Buffer.concat((await socket.toArray()) as Buffer[]).toString();
  };
  return { server, exchange, port: Number(url.port) };
}

function parseProblem(t: Test, answer: string): Problem {
  const [headers = '', body = ''] = answer.split('\r\n\r\n');
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(headers)?.[1]);
  const problem = JSON.parse(body) as { status: number; code: ProblemCode };
  t.match(headers, /content-type: application\/problem\+json/i);
  t.match(headers, new RegExp(`content-length: ${Buffer.byteLength(body)}\\b`, 'i'));
  t.equal(problem.status, status);
  t.equal(PROBLEMS[problem.code].status, status);
  return { status, code: problem.code, headers };
}

const FIELDS = 'Host: x\r\nConnection: close\r\n';

t.test('answers bytes that are not HTTP, and headers that are too large', async (t) => {
  const { exchange } = await listening(t);
  for (const [bytes, status, code] of [
    ['\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 TLS\r\n\r\n', 400, 'invalid_request'],
    ['GET / HTTP/1.1\r\nno header at all\r\n\r\n', 400, 'invalid_request'],
    ['NOPE / HTTP/1.1\r\n\r\n', 400, 'invalid_request'],
    [`POST / HTTP/1.1\r\n${FIELDS}Content-Length: x\r\n\r\n`, 400, 'invalid_request'],
    [`GET / HTTP/1.1\r\n${FIELDS}X: ${'x'.repeat(17_000)}\r\n\r\n`, 431, 'headers_too_large'],
    [`GET /${'x'.repeat(17_000)} HTTP/1.1\r\n${FIELDS}\r\n`, 431, 'headers_too_large'],
  ] as const) {
    t.match(parseProblem(t, await exchange(bytes)), { status, code }, bytes.slice(0, 20));
  }
});

t.test(
  'a client that disconnects within a request gets no response, and affects no other client',
  async (t) => {
    const { exchange, port } = await listening(t);
    const socket = connect({ host: '127.0.0.1', port });
    socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{');
    socket.resetAndDestroy();
    t.match(await exchange(`GET / HTTP/1.1\r\n${FIELDS}\r\n`), /^HTTP\/1\.1 200 /);
  },
);

t.test(
  'an unsupported method is answered with the supported ones, before its body is read',
  async (t) => {
    const { server, exchange } = await listening(t);
    for (const method of ['PUT', 'PATCH', 'DELETE'] as const) {
      const response = await server.inject({
        method,
        url: '/',
        headers: { 'content-type': 'text/plain' },
        payload: 'x'.repeat(70_000),
      });
      t.equal(response.statusCode, 405);
      t.equal(response.headers.allow, 'GET, HEAD, POST');
      t.match(response.json(), { code: 'method_not_allowed' });
    }
    const answer = parseProblem(t, await exchange(`PUT / HTTP/1.1\r\n${FIELDS}\r\n`));
    t.match(answer, { status: 405, headers: /allow: GET, HEAD, POST/i });
  },
);

t.test('rejects a body that is too large or not JSON', async (t) => {
  const { server } = await listening(t);
  const post = (type: string, payload: string) =>
    server.inject({ method: 'POST', url: '/', headers: { 'content-type': type }, payload });
  const json = 'application/json';
  const ofBytes = (count: number) => `"${'x'.repeat(count - 2)}"`;
  t.equal((await post(json, ofBytes(64 * 1024))).statusCode, 200);
  t.equal((await post(json, '')).statusCode, 200, 'no body is not JSON that is wrong');
  for (const [type, payload, status, code] of [
    [json, ofBytes(64 * 1024 + 1), 413, 'body_too_large'],
    [json, '{"a":', 400, 'invalid_request'],
    [json, '{"__proto__":{}}', 400, 'invalid_request'],
    ['text/plain', '{}', 415, 'unsupported_media_type'],
    ['application/x-www-form-urlencoded', 'a=b', 415, 'unsupported_media_type'],
    ['nonsense', '{}', 415, 'unsupported_media_type'],
  ] as const) {
    const response = await post(type, payload);
    t.equal(response.statusCode, status, type);
    t.match(response.json(), { status, code });
  }
});
