// Reads a token from a file that an option or a variable names.

import { readFile } from 'node:fs/promises';
import { readSystemCode } from '../processes/system-code.js';
import { UsageError } from './exit.js';

/** @throws UsageError if the file cannot be read, or is empty; the message never has the token */
export async function readTokenFile(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    const code = readSystemCode(cause) ?? String(cause);
    throw new UsageError(`The token file ${file} cannot be read (${code}).`, { cause });
  });
  const token = text.replace(/^\uFEFF/, '').trim();
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  if (token !== '')
    throw new UsageError(`The file ${file} holds no token: expected the line that "token" prints.`);
  throw new UsageError(`The token file ${file} is empty.`);
}
