// The tests that the README names for its threats exist.

import { access, readFile } from 'node:fs/promises';
import t from 'tap';

const readme = await readFile('src/gateway/auth/README.md', 'utf8');

t.test('every threat names tests that exist', async (t) => {
  const section = readme.split('\n## Threats\n')[1]?.split('\n## ')[0] ?? '';
  const rows = section.split('\n').filter((line) => line.startsWith('|'));
  t.ok(rows.length > 40, 'the table was found');
  for (const row of rows.slice(2)) {
    const [attempt = '', , tests = ''] = row.split('|').slice(1, -1);
    const names = [...tests.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);
    t.ok(names.length > 0, attempt.trim());
    for (const name of names) await t.resolves(access(`test/${name}`), name);
  }
});
