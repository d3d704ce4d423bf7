// Whatever a client does with HTTP/1.1, its connection leaves no file open, and each rejection is a
// problem with a stable code.

import { readdir, readlink } from 'node:fs/promises';
import t from 'tap';
import { startServer } from '../../helpers/database.js';
import { startGateway } from '../../helpers/gateway.js';
import { findDashboardScript } from '../../helpers/dashboard-file.js';
import { openRaw, sendRaw } from '../../helpers/raw-http.js';
import { until } from '../../helpers/until.js';

const { createDatabase } = await startServer(t);
const database = await createDatabase();
await database.query(`INSERT INTO vms (hostname, status) VALUES ('vm-1', 'available')`);
const gateway = await startGateway(t, database);
const { url } = gateway;

/** How many files of this path's end the process has open. */
async function countOpen(file: string): Promise<number> {
  const names = await readdir('/proc/self/fd');
  const paths = await Promise.all(
    names.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => '')),
  );
  return paths.filter((path) => path.endsWith(file)).length;
}

t.test('pipelined requests for files leave none open', async (t) => {
  const file = findDashboardScript();
  const get = `GET /assets/${file} HTTP/1.1\r\nHost: x\r\n\r\n`;
  const { socket, received } = openRaw(url);
  socket.write(get.repeat(200));
  await until('the first response has begun', () => received().startsWith('HTTP/1.1 200'));
  t.ok((await countOpen(file)) <= 1, 'one file at a time');
  socket.destroy();
  await until('no file is open', async () => (await countOpen(file)) === 0);
});

t.test('too many pipelined requests are a problem, and are counted', async (t) => {
  const answer = await sendRaw(url, 'GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(100));
  t.equal(answer.split('{"status":"live"}').length - 1, 17);
  t.match(answer, /HTTP\/1\.1 429 [^]*Retry-After: 1\r\n[^]*"code":"too_many_requests"[^]*}$/);
  const metrics = await (await gateway.fetch('/metrics')).text();
  t.match(metrics, 'lablink_limits_exceeded_total{reason="too_many_requests"} 1');
});

const admin = `Authorization: Bearer ${await gateway.token('admin')}\r\n`;
const send = (head: string, headers: string, body: string | Buffer = '') =>
  sendRaw(url, Buffer.concat([Buffer.from(`${head}\r\n${headers}\r\n`), Buffer.from(body)]));
const HOST = 'Host: 127.0.0.1\r\n';
const CLOSE = `${HOST}Connection: close\r\n`;
const JSON_TYPE = 'Content-Type: application/json\r\n';
const UPGRADE =
  `${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';

const problem = (status: number, code: string) =>
  new RegExp(`^HTTP/1\\.1 ${status} [^]*application/problem\\+json[^]*"code":"${code}"`);

t.test('a body is read only after the token, and its connection is closed', async (t) => {
  for (const length of ['Content-Length: 54000', 'Transfer-Encoding: chunked']) {
    const headers = `${HOST}${JSON_TYPE}${length}\r\n`;
    const refused = await send('POST /v1/assignments HTTP/1.1', headers);
    t.match(refused, problem(401, 'token_missing'), length);
    t.match(refused, /\r\nConnection: close\r\n/i);
  }
  const large = `${HOST}${admin}${JSON_TYPE}Content-Length: 54000\r\n`;
  t.match(await send('PUT /v1/vms/vm-1 HTTP/1.1', large), problem(413, 'body_too_large'));
});

t.test('a refused upgrade is a problem that closes the connection', async (t) => {
  const handshake = (from: string, to: string) => `${UPGRADE}${admin}`.replace(from, to);
  for (const [headers, status, code] of [
    [UPGRADE, 401, 'token_missing'],
    [handshake('Version: 13', 'Version: 99'), 426, 'unsupported_websocket_version'],
    [handshake('Key: dGhl', 'Key: '), 400, 'invalid_handshake'],
    [`${UPGRADE}${admin}Sec-WebSocket-Protocol: a, a\r\n`, 400, 'invalid_handshake'],
    [`${UPGRADE}${admin}Sec-WebSocket-Protocol: a b\r\n`, 400, 'invalid_handshake'],
  ] as const) {
    const refused = await send('GET /v1/vms HTTP/1.1', headers);
    t.match(refused, problem(status, code));
    t.match(refused, /\r\nConnection: close\r\n/i);
    if (status === 426) t.match(refused, /\r\nSec-WebSocket-Version: 13\r\n/i);
  }
});

t.test('a request has one Host, except in HTTP/1.0', async (t) => {
  const path = 'GET /health/live HTTP/1.';
  t.match(await send(`${path}1`, 'Connection: close\r\n'), problem(400, 'invalid_request'));
  t.match(await send(`${path}1`, `${CLOSE}Host: y\r\n`), problem(400, 'invalid_request'));
  t.match(await send(`${path}1`, 'Host: x y\r\n'), problem(400, 'invalid_request'));
  t.match(await send(`${path}0`, ''), /^HTTP\/1\.1 200 /);
});

t.test('an Upgrade to another protocol, and a HEAD with one, are answered', async (t) => {
  const h2c = `${HOST}Connection: Upgrade, close\r\nUpgrade: h2c\r\n`;
  t.match(await send('GET /health/live HTTP/1.1', h2c), /^HTTP\/1\.1 200 /);
  const head = UPGRADE.replace('Upgrade\r\n', 'Upgrade, close\r\n');
  t.match(await send('HEAD /v1/vms HTTP/1.1', `${head}${admin}`), /^HTTP\/1\.1 200 /);
});

t.test('a body is UTF-8, and may be empty', async (t) => {
  const patch = (type: string, body: Buffer) =>
    send(
      'PATCH /v1/vms/vm-1 HTTP/1.1',
      `${CLOSE}${admin}Content-Type: ${type}\r\nContent-Length: ${body.length}\r\n`,
      body,
    );
  const latin1 = Buffer.from('{"crd_command":"caf\xe9"}', 'latin1');
  t.match(await patch('application/json', latin1), problem(400, 'invalid_request'));
  const other = await patch('application/json; charset=iso-8859-1', Buffer.from('{}'));
  t.match(other, problem(415, 'unsupported_media_type'));
  const available = Buffer.from('{"status":"available"}');
  t.match(await patch('application/json; charset="UTF-8"', available), /^HTTP\/1\.1 200 /);
  const empty = `${CLOSE}${admin}${JSON_TYPE}`;
  t.match(await send('PUT /v1/vms/vm-2 HTTP/1.1', empty), /^HTTP\/1\.1 201 /);
  t.match(await send('DELETE /v1/vms/vm-2 HTTP/1.1', empty), /^HTTP\/1\.1 204 /);
});

t.test('no cache stores data, and no foreign Host reads the metrics', async (t) => {
  for (const path of ['/health/live', '/health/ready', '/metrics', '/v1/vms/vm-1']) {
    const answer = await send(`GET ${path} HTTP/1.1`, `${CLOSE}${admin}`);
    t.match(answer, /^HTTP\/1\.1 200 [^]*\r\nCache-Control: no-store\r\n/i, path);
  }
  t.match(await send('GET /metrics HTTP/1.1', CLOSE), /^HTTP\/1\.1 200 /);
  const foreign = await send('GET /metrics HTTP/1.1', CLOSE.replace('127.0.0.1', 'evil.example'));
  t.match(foreign, problem(401, 'token_missing'));
});

t.test('a head that could be read in two ways is refused', async (t) => {
  const live = 'GET /health/live HTTP/1.1';
  const patch = 'PATCH /v1/vms/vm-1 HTTP/1.1';
  const json = `${CLOSE}${admin}${JSON_TYPE}`;
  const chunks = '2\r\n{}\r\n0\r\n\r\n';
  for (const [head, headers, body] of [
    ['GET /health/live HTTP/2.0', CLOSE, ''],
    ['GET health/live HTTP/1.1', CLOSE, ''],
    ['CONNECT example.org:443 HTTP/1.1', CLOSE, ''],
    ['GET /v1/vms?email=%ff HTTP/1.1', `${CLOSE}${admin}`, ''],
    ['GET /v1/vms?email=100% HTTP/1.1', `${CLOSE}${admin}`, ''],
    [live, `${CLOSE}X: a\r\n b\r\n`, ''],
    [live, `${CLOSE}X : a\r\n`, ''],
    [live, `${CLOSE}X: a\0b\r\n`, ''],
    [patch, `${json}Content-Length: 2\r\nContent-Length: 2\r\n`, '{}'],
    [patch, `${json}Content-Length: 2, 2\r\n`, '{}'],
    [patch, `${json}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n`, chunks],
    [patch, `${json}Transfer-Encoding: gzip, chunked\r\n`, chunks],
    [patch, `${json}Transfer-Encoding: identity\r\n`, '{}'],
    [patch, `${json}Transfer-Encoding: chunked\r\n`, 'zz\r\n{}\r\n0\r\n\r\n'],
    [
      patch,
      `${json}Transfer-Encoding: chunked\r\n`,
      chunks.replace('\r', `;${'x'.repeat(20_000)}\r`),
    ],
  ] as const) {
    const answer = await send(head, headers, body);
    t.match(answer, problem(400, 'invalid_request'), `${head} ${headers.slice(-60)}`);
    t.match(answer, /\r\nConnection: close\r\n/i);
  }
  const trailer = chunks.replace(/0\r\n\r\n$/, `0\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`);
  const large = await send(patch, `${json}Transfer-Encoding: chunked\r\n`, trailer);
  t.match(large, problem(431, 'headers_too_large'));
});

t.test('a trailer is no header, and an absolute target is the same resource', async (t) => {
  const body = '{"status":"available"}';
  const chunks = `${body.length.toString(16)};a=b\r\n${body}\r\n0\r\nIf-Match: "0"\r\n\r\n`;
  const headers = `${CLOSE}${admin}${JSON_TYPE}Transfer-Encoding: chunked\r\n`;
  t.match(await send('PATCH /v1/vms/vm-1 HTTP/1.1', headers, chunks), /^HTTP\/1\.1 200 /);
  await send('PUT /v1/vms/vm-3 HTTP/1.1', `${CLOSE}${admin}`);
  const page = await send('GET http://127.0.0.1/v1/vms?limit=1 HTTP/1.1', `${CLOSE}${admin}`);
  t.match(
    page,
    /^HTTP\/1\.1 200 [^]*\r\nlink: <http:\/\/127\.0\.0\.1\/v1\/vms\?limit=1&after=\d+>/i,
  );
});

t.test('a body that cannot be taken is answered with what can', async (t) => {
  const ask = (method: string, path: string, headers: string) =>
    send(`${method} ${path} HTTP/1.1`, `${CLOSE}${admin}${headers}Content-Length: 2\r\n`, '{}');
  const text = 'Content-Type: text/plain\r\n';
  const gzip = `${JSON_TYPE}Content-Encoding: gzip\r\n`;
  for (const [method, path, headers, name] of [
    ['PATCH', '/v1/vms/vm-1', text, 'Accept-Patch'],
    ['PATCH', '/v1/vms/vm-1', gzip, 'Accept-Patch'],
    ['POST', '/v1/assignments', text, 'Accept-Post'],
    ['POST', '/v1/assignments', '', 'Accept-Post'],
    ['PUT', '/v1/vms/vm-1', text, 'Accept'],
  ] as const) {
    const answer = await ask(method, path, headers);
    t.match(answer, problem(415, 'unsupported_media_type'), `${method} ${headers}`);
    t.match(answer, new RegExp(`\r\n${name}: application/json\r\n`, 'i'));
    t.match(answer, /\r\nAccept-Encoding: identity\r\n/i);
  }
  const identity = `${JSON_TYPE}Content-Encoding: identity\r\n`;
  t.match(await ask('PATCH', '/v1/vms/vm-1', identity), problem(400, 'invalid_request'));
});

t.test('a range of a file', async (t) => {
  const page = await send('GET / HTTP/1.1', CLOSE);
  const [, asset = 'the dashboard is not built'] = /"\/?(assets\/[^"]+)"/.exec(page) ?? [];
  const path = `GET /${asset} HTTP/1.1`;
  const first = await send(path, `${CLOSE}Range: bytes=0-3\r\n`);
  t.match(first, /^HTTP\/1\.1 206 [^]*\r\ncontent-range: bytes 0-3\/\d+\r\n/i);
  const beyond = await send(path, `${CLOSE}Range: bytes=99999999-\r\n`);
  t.match(beyond, problem(416, 'range_not_satisfiable'));
  t.match(beyond, /\r\ncontent-range: bytes \*\/\d+\r\n/i);
});

t.test('the preconditions of a change', async (t) => {
  const ask = (method: string, path: string, headers: string, body = '') =>
    send(
      `${method} ${path} HTTP/1.1`,
      `${CLOSE}${admin}${JSON_TYPE}${headers}Content-Length: ${body.length}\r\n`,
      body,
    );
  const onlyNew = 'If-None-Match: *\r\n';
  t.match(await ask('PUT', '/v1/vms/vm-4', onlyNew), /^HTTP\/1\.1 201 /);
  const known = await ask('PUT', '/v1/vms/vm-4', onlyNew);
  t.match(known, problem(412, 'version_mismatch'));
  t.match(known, /\r\netag: "\d+"\r\n/i);
  t.match(await ask('PUT', '/v1/vms/vm-4', ''), /^HTTP\/1\.1 200 /);
  const absent = await ask('PUT', '/v1/vms/vm-5', 'If-Match: *\r\n');
  t.match(absent, problem(400, 'invalid_request'), 'nothing is registered');
  t.match(await ask('GET', '/v1/vms/vm-5', ''), problem(404, 'vm_not_found'));
  const failed = '{"status":"failed"}';
  t.match(await ask('PATCH', '/v1/vms/vm-4', onlyNew, failed), problem(412, 'version_mismatch'));
  t.match(await ask('DELETE', '/v1/vms/vm-4', onlyNew), problem(412, 'version_mismatch'));
  t.match(
    await ask('DELETE', '/v1/vms/vm-4', 'If-Match: "1", *\r\n'),
    problem(400, 'invalid_request'),
  );
  t.match(await ask('DELETE', '/v1/vms/vm-4', 'If-None-Match: "0"\r\n'), /^HTTP\/1\.1 204 /);
});

t.test('a HEAD has the headers of a GET, and no body', async (t) => {
  const own = /^(date|x-request-id|x-ratelimit-.*|http\/.*): .*$/i;
  for (const path of [
    '/v1/vms',
    '/v1/vms/vm-1',
    '/v1/stats',
    '/health/ready',
    '/docs/json',
    '/nope',
  ]) {
    const [get, head] = await Promise.all(
      ['GET', 'HEAD'].map((method) => send(`${method} ${path} HTTP/1.1`, `${CLOSE}${admin}`)),
    );
    const [headers, body] = (head ?? '').split('\r\n\r\n');
    const listHeaders = (text = '') =>
      text
        .split('\r\n')
        .filter((line) => !own.test(line))
        .sort();
    t.same(listHeaders(headers), listHeaders((get ?? '').split('\r\n\r\n')[0]), path);
    t.equal(body, '');
  }
});
