// Whatever a client does with HTTP/1.1, its connection leaves no file open, and each rejection is a
// problem with a stable code.

import { readdir, readlink } from 'node:fs/promises';
import t from 'tap';
import { startServer } from '../../helpers/database.js';
import { startGateway } from '../../helpers/gateway.js';
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
  const file = 'swagger-ui-bundle.js';
  const get = `GET /docs/static/${file} HTTP/1.1\r\nHost: x\r\n\r\n`;
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
