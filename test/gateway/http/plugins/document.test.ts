// The README of the HTTP API lists exactly the problems and routes that exist.

import { readFile } from 'node:fs/promises';
import t from 'tap';
import { PROBLEMS } from '../../../../src/gateway/http/problems/problem.js';
import { startDatabase } from '../../../helpers/database.js';
import { startGateway } from '../../../helpers/gateway.js';

const readme = await readFile('src/gateway/http/README.md', 'utf8');

t.test('the table has exactly the problems, with status and meaning', async (t) => {
  const section = readme.split('\n## Problems\n')[1] ?? '';
  const lines = section.split('\n').filter((line) => line.startsWith('|'));
  const cells = lines.slice(2).map((line) =>
    line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  );
  t.same(
    cells,
    Object.entries(PROBLEMS).map(([code, { status, when }]) => [`\`${code}\``, `${status}`, when]),
  );
});

t.test('the table has exactly the routes', async (t) => {
  const gateway = await startGateway(t, await startDatabase(t));
  const answer = await fetch(`${gateway.url}/docs/json`);
  const { paths } = (await answer.json()) as { paths: Record<string, object> };
  const routes = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const section = readme.split('\n## Routes\n')[1]?.split('\n## ')[0] ?? '';
  const named = [...section.matchAll(/`([A-Z]+) (\/[^?`]*)/g)].map(
    ([, method = '', path = '']) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`,
  );
  // The document does not describe itself.
  const own = ['GET /docs', 'GET /docs/json'];
  for (const path of ['/docs', '/docs/json'])
    t.equal((await fetch(gateway.url + path)).status, 200, `${path} needs no token`);
  t.same([...new Set(named)].sort(), [...routes, ...own].sort());
});
