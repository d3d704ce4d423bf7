// `npm run docs` fills the generated blocks of every Markdown file from the code that holds their
// facts. `npm run docs -- --check` writes nothing and lists the stale files. It exits with 1 if
// there are any.

import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { format, resolveConfig } from 'prettier';
import { blockNames, fillBlocks } from './blocks.js';
import { generateTable } from './tables.js';

const check = process.argv.includes('--check');
const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => file.endsWith('.md'));

for (const file of files) {
  const text = await readFile(file, 'utf8').catch(() => ''); // deleted, and not committed yet
  if (blockNames(text).length === 0) continue;
  const options = { ...(await resolveConfig(file)), filepath: file };
  const current = await format(await fillBlocks(text, generateTable), options);
  if (current === text) continue;
  if (check) {
    console.error(`${file} has a stale table: run \`npm run docs\``);
    process.exitCode = 1;
  } else {
    await writeFile(file, current);
    console.log(`updated ${file}`);
  }
}
