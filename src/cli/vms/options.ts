// Options that several commands about VMs share, and how they read the command of an assignment.

import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { readSystemCode } from '../../processes/system-code.js';
import { UsageError } from '../exit.js';

/** Lists print a line for each item, so that a program can begin before the list has ended. */
export const NDJSON_OPTION = ['--json', 'print JSON for programs, one value per line'] as const;

export interface CommandSource {
  readonly command?: string;
  /** `-` stands for stdin. */
  readonly commandFile?: string;
}

/** Reads the crd_command; undefined if no option names one. @throws UsageError */
export async function readCommand(options: CommandSource): Promise<string | undefined> {
  const { command, commandFile: file } = options;
  if (command !== undefined && file !== undefined)
    throw new UsageError('Give the command once: with --command or with --command-file.');
  if (file === undefined) return command;
  if (file === '-') return (await text(process.stdin)).trim();
  const content = await readFile(file, 'utf8').catch((cause: unknown) => {
    const code = readSystemCode(cause) ?? String(cause);
    throw new UsageError(`The command file ${file} cannot be read (${code}).`, { cause });
  });
  return content.replace(/^\uFEFF/, '').trim();
}
