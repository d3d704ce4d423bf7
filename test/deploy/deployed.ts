// Provides the files of deploy/ to tests: the very files, with only addresses, ports, paths and
// timeouts replaced.

import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import type { Teardown } from '../helpers/database.js';
import { temporaryFolder } from '../helpers/process.js';

export const deployed = (path: string): Promise<string> => readFile(`deploy/${path}`, 'utf8');

/**
 * The file with every occurrence of each text replaced. A text that is not there is a mistake: the
 * file has changed.
 */
export async function substituted(
  path: string,
  replacements: Readonly<Record<string, string>>,
): Promise<string> {
  let text = await deployed(path);
  for (const [from, to] of Object.entries(replacements)) {
    if (!text.includes(from)) throw new Error(`deploy/${path} lacks ${from}`);
    text = text.replaceAll(from, to);
  }
  return text;
}

/** Makes the secrets of `compose.yaml` in a folder of the test's. */
export async function makeSecrets(t: Teardown): Promise<string> {
  const folder = await temporaryFolder(t);
  const { status, stderr } = spawnSync('sh', ['deploy/make-secrets.sh', folder], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr);
  return folder;
}

/** For a test's `skip`: false where the program is there. */
export function lacking(program: string, ...args: string[]): string | false {
  const found = spawnSync(program, args.length === 0 ? ['-v'] : args).error === undefined;
  return !found && `${program} is not installed`;
}
