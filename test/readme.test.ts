// What the README says of the configuration, the dependencies and the layout is what there is.

import { access, readdir, readFile } from 'node:fs/promises';
import t from 'tap';
import { VARIABLES } from '../src/config/load.js';
import { REJECTION_REASONS } from '../src/gateway/session/limits.js';

const readme = await readFile('README.md', 'utf8');

/** The cells of the table under a heading, without backticks. */
function table(heading: string): string[][] {
  const section = readme.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  const lines = section.split('\n').filter((line) => line.startsWith('|'));
  return lines.slice(2).map((line) =>
    line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim().replaceAll('`', '')),
  );
}

t.test(
  'every variable stands in the table with its default and meaning, and no other',
  async (t) => {
    const variables = VARIABLES.map(({ name, about }) => [
      name,
      String(about.default ?? ''),
      about.description.replaceAll('`', ''),
    ]);
    t.same(table('Configuration'), variables);
  },
);

t.test('every limit stands in the table by the name it is counted under', async (t) => {
  const named = table('Limits and drain').map((cells) => cells.at(-1));
  t.same(named.toSorted(), REJECTION_REASONS.toSorted());
});

t.test('every dependency has its reason', async (t) => {
  const manifest = JSON.parse(await readFile('package.json', 'utf8')) as Record<string, object>;
  const names = Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies });
  const reasons = table('Dependencies, and why').flatMap(([packages = '', reason = '']) =>
    packages.split(', ').map((name) => [name, reason] as const),
  );
  for (const name of names) {
    const found = reasons.find(
      ([known]) => known === name || (known.endsWith('/*') && name.startsWith(known.slice(0, -1))),
    );
    t.ok(found?.[1], name);
  }
  for (const [known] of reasons) {
    t.ok(known.endsWith('/*') || names.includes(known), `${known} is a dependency`);
  }
});

t.test('the layout names every folder of src, and nothing that is not there', async (t) => {
  const named = table('Layout').map(([path = '']) => path);
  for (const path of named) t.resolves(access(path), path);
  const folders = await readdir('src', { withFileTypes: true });
  for (const folder of folders.filter((entry) => entry.isDirectory())) {
    t.ok(named.includes(`src/${folder.name}/`), folder.name);
  }
});

t.test('the table of faults names tests that are there, and every test of a fault', async (t) => {
  const cells = table('What is guaranteed, and how it is tested').map(([, , tests = '']) => tests);
  const named = new Set(cells.flatMap((cell) => cell.split(', ')));
  for (const path of named) await t.resolves(access(path), path);
  const files = (await readdir('test/faults')).filter((name) => name.endsWith('.test.ts'));
  for (const name of files) {
    const isMachinery = /^(checker|machinery)/.test(name);
    t.ok(isMachinery || named.has(`test/faults/${name}`), name);
  }
});
