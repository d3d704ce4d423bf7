// Keeps the last run in README.md: everything under its heading is what a run printed.

import { readFile, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';

/** The README of the sources: what runs is a copy. npm runs a script in the package's folder. */
const README = resolve('test/bench/README.md');
const HEADING = '## The last run\n';

/**
 * Takes the place of what the last run printed. @param printed Markdown, with headings of the third
 * level
 */
export async function writeLastRun(printed: string): Promise<void> {
  const readme = await readFile(README, 'utf8');
  const [before = '', after = ''] = readme.split(HEADING);
  const next = /\n## /.exec(after);
  const rest = next === null ? '' : after.slice(next.index);
  await writeFile(README, `${before}${HEADING}\n${printed.trim()}\n${rest}`);
}
