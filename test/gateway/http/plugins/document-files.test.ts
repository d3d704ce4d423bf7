// The files of the API's page come from memory: with their type, a tag to check them by, and no
// read of the disk.

import fs from 'node:fs';
import t from 'tap';
import { startDatabase } from '../../../helpers/database.js';
import { startGateway } from '../../../helpers/gateway.js';

const gateway = await startGateway(t, await startDatabase(t));
const FILE = '/docs/static/swagger-ui-bundle.js';

t.test('a file has its type, its policy and a tag', async (t) => {
  const answer = await fetch(gateway.url + FILE);
  t.equal(answer.status, 200);
  t.match(answer.headers.get('content-type'), /^text\/javascript/);
  t.match(answer.headers.get('content-security-policy'), "default-src 'self'");
  t.equal(answer.headers.get('content-length'), String((await answer.arrayBuffer()).byteLength));
  const tag = answer.headers.get('etag') ?? '';
  const again = await fetch(gateway.url + FILE, { headers: { 'If-None-Match': tag } });
  t.equal(again.status, 304);
  const head = await fetch(gateway.url + FILE, { method: 'HEAD' });
  t.equal(head.status, 200);
  t.equal((await head.text()).length, 0);
});

t.test('the page and its own scripts stay as they are', async (t) => {
  const page = await (await fetch(`${gateway.url}/docs/`)).text();
  for (const [, path = ''] of page.matchAll(/(?:src|href)="\.?\/?([^"#]+)"/g))
    t.equal((await fetch(`${gateway.url}/docs/${path.replace(/^docs\//, '')}`)).status, 200, path);
  const script = await fetch(`${gateway.url}/docs/static/swagger-initializer.js`);
  t.match(await script.text(), 'SwaggerUIBundle');
  t.equal((await fetch(`${gateway.url}/docs/static/none.js`)).status, 404);
});

t.test('neither the files nor the document are made for each request', async (t) => {
  let reads = 0;
  const { createReadStream } = fs;
  fs.createReadStream = (...args) => {
    reads++;
    return createReadStream(...args);
  };
  const { stringify } = JSON;
  const written: unknown[] = [];
  t.intercept(JSON, 'stringify', {
    value: (value: unknown, ...rest: []) => {
      written.push(value);
      return stringify(value, ...rest);
    },
  });
  t.teardown(() => {
    fs.createReadStream = createReadStream;
  });
  for (let n = 0; n < 3; n++)
    for (const path of [FILE, '/docs/json']) t.equal((await fetch(gateway.url + path)).status, 200);
  t.equal(reads, 0);
  const documents = written.filter(
    (one) => typeof one === 'object' && one !== null && 'openapi' in one,
  );
  t.ok(documents.length <= 1, 'the document is written once');
});
