// The recipes for contributors match the code: each file that they name exists, and each name
// occurs in a file of its step.

import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import t from 'tap';

const text = await readFile('.github/CONTRIBUTING.md', 'utf8');
const manifest = JSON.parse(await readFile('package.json', 'utf8')) as {
  scripts: Record<string, string>;
};
/** A path below one of the checkout's folders, or a file at its top. */
const PATH = /^(src|test|schema|deploy|\.ci|\.github)\/[\w./-]*$/;

/** The words in backticks of a paragraph or of a step. */
const readWords = (step: string): string[] =>
  [...step.matchAll(/`([^`]+)`/g)].map(([, word = '']) => word);
const steps = text.replace(/^```[^]*?^```$/gm, '').split(/\n\n|\n(?=\d\. |- )/);

t.test('every path exists', async (t) => {
  const paths = steps.flatMap(readWords).filter((word) => PATH.test(word));
  for (const path of paths) t.ok(existsSync(path), path);
  t.ok(paths.length > 30, 'the paths were found');
});

t.test('every name stands in one of the files of its step', async (t) => {
  let count = 0;
  for (const step of steps) {
    const words = readWords(step);
    const files = words.filter((word) => PATH.test(word) && /\.\w+$/.test(word));
    if (files.length === 0) continue;
    const content = (await Promise.all(files.map((file) => readFile(file, 'utf8')))).join('\n');
    for (const name of words.filter((word) => /^#?[A-Za-z_]\w+$/.test(word))) {
      t.ok(new RegExp(`${name}\\b`).test(content), `${name} in ${files.join(', ')}`);
      count += 1;
    }
  }
  t.ok(count > 20, 'the names were found');
});

t.test('every script exists', async (t) => {
  for (const [, name = ''] of text.matchAll(/npm run ([\w:]+)/g))
    t.ok(manifest.scripts[name], name);
});
