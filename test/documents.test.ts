// The documents say what there is: their tables match the code, their links lead somewhere, and the
// README is short.

import { execFileSync } from 'node:child_process';
import { access, readdir, readFile } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import t from 'tap';
import { blockNames, fillBlocks } from '../.ci/docs/blocks.js';
import { VARIABLES } from '../src/config/load.js';
import { REJECTION_REASONS } from '../src/gateway/session/limits.js';
import { readAnchors, readLinks, readSection, readTableRows } from './helpers/markdown.js';

async function readTable(file: string, heading: string): Promise<string[][]> {
  return readTableRows(readSection(await readFile(file, 'utf8'), heading));
}

/** The Markdown files of the project; those that are not committed yet, too. */
const documents = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '*.md'], {
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => file !== '');

t.test(
  'every variable stands in the table with its default and meaning, and no other',
  async (t) => {
    const variables = VARIABLES.map(({ name, about }) => [
      name,
      String(about.default ?? ''),
      about.description.replaceAll('`', ''),
    ]);
    t.same(await readTable('src/config/README.md', 'Variables'), variables);
  },
);

t.test('every limit stands in the table by the name it is counted under', async (t) => {
  const rows = await readTable('src/gateway/http/README.md', 'Limits');
  t.same(rows.map((cells) => cells.at(-1)).toSorted(), REJECTION_REASONS.toSorted());
});

t.test('every dependency has its reason', async (t) => {
  const manifest = JSON.parse(await readFile('package.json', 'utf8')) as Record<string, object>;
  const names = Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies });
  const rows = await readTable('src/README.md', 'Dependencies');
  const reasons = rows.flatMap(([packages = '', reason = '']) =>
    packages.split(', ').map((name) => [name, reason] as const),
  );
  for (const name of names) {
    const found = reasons.find(
      ([known]) => known === name || (known.endsWith('/*') && name.startsWith(known.slice(0, -1))),
    );
    t.ok(found?.[1], name);
  }
  const all = [...names, ...Object.keys(manifest.devDependencies ?? {})];
  for (const [known] of reasons) {
    const prefix = known.endsWith('*') ? known.slice(0, -1) : undefined;
    const found = all.some((name) =>
      prefix === undefined ? name === known : name.startsWith(prefix),
    );
    t.ok(found, `${known} is a dependency`);
  }
});

t.test('the layout names every folder of src, and nothing that is not there', async (t) => {
  const rows = await readTable('src/README.md', 'Layout');
  const named = rows.map(([path = '']) => path);
  for (const path of named) await t.resolves(access(join('src', path)), path);
  for (const folder of ['', 'gateway/']) {
    const entries = await readdir(join('src', folder), { withFileTypes: true });
    for (const { name } of entries.filter((entry) => entry.isDirectory())) {
      t.ok(named.includes(`${folder}${name}/`), folder + name);
    }
  }
});

t.test('the table of faults names tests that are there, and every test of a fault', async (t) => {
  const rows = await readTable('src/gateway/feed/README.md', 'Faults');
  t.ok(rows.length > 20, 'the table was found');
  const named = new Set(rows.flatMap(([, , tests = '']) => tests.split(', ')));
  for (const path of named) await t.resolves(access(path), path);
  const files = (await readdir('test/faults')).filter((name) => name.endsWith('.test.ts'));
  for (const name of files) {
    const isMachinery = /^(checker|machinery)/.test(name);
    t.ok(isMachinery || named.has(`test/faults/${name}`), name);
  }
});

t.test('every link leads to a file that exists, and to a heading in it', async (t) => {
  const texts = new Map<string, string>();
  for (const file of documents) texts.set(file, await readFile(file, 'utf8'));
  let checked = 0;
  for (const [file, text] of texts) {
    for (const link of readLinks(text)) {
      if (/^[a-z]+:/.test(link)) continue;
      checked++;
      const [path = '', anchor] = link.split('#');
      const target = path === '' ? file : normalize(join(dirname(file), path));
      await t.resolves(access(target), `${file}: ${link}`);
      if (anchor === undefined) continue;
      t.ok(readAnchors(texts.get(target) ?? '').includes(anchor), `${file}: ${link}`);
    }
  }
  t.ok(checked > 50, 'links were found');
});

t.test(
  'a generated block is filled, and only what stands between its markers changes',
  async (t) => {
    const text = 'a\n\n<!-- generated: x -->\nold\n<!-- end -->\n\nb\n';
    t.same(blockNames(text), ['x']);
    t.equal(
      await fillBlocks(text, (name) => `new ${name} costs $1`),
      'a\n\n<!-- generated: x -->\n\nnew x costs $1\n\n<!-- end -->\n\nb\n',
    );
    await t.rejects(
      fillBlocks('<!-- generated: x -->\nno end\n', () => ''),
      /no partner/,
    );
  },
);

t.test('the README is at most 8 kB', async (t) => {
  const { length } = await readFile('README.md');
  t.ok(length <= 8_000, `${length} bytes`);
});
