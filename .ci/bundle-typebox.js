// Puts TypeBox into dist as a few files, and has the program read those instead of the package's
// 683: to find and read them was half of what a command took to start.

import { copyFile, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { build } from 'esbuild';

const TARGET = 'dist';
const ENTRIES = ['typebox', 'typebox/compile', 'typebox/value'];
const nameOf = (entry) => entry.split('/')[1] ?? 'index';

await build({
  entryPoints: ENTRIES.map((entry) => ({ in: entry, out: nameOf(entry) })),
  outdir: join(TARGET, 'typebox'),
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
});

await copyFile('node_modules/typebox/license', join(TARGET, 'typebox/LICENSE'));

for (const name of await readdir(TARGET, { recursive: true })) {
  if (!name.endsWith('.js') || /^(dashboard|typebox)\//.test(name)) continue;
  const path = join(TARGET, name);
  const text = await readFile(path, 'utf8');
  const folder = relative(dirname(path), join(TARGET, 'typebox'));
  const changed = ENTRIES.reduce((text, entry) => {
    const file = `${folder.startsWith('.') ? '' : './'}${folder}/${nameOf(entry)}.js`;
    return text.replaceAll(` from '${entry}';`, ` from '${file}';`);
  }, text);
  if (changed !== text) await writeFile(path, changed);
}
