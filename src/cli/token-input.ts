// Reads the token that a command is about: its argument, the file of --token-file, or stdin.

import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { inspectToken, type SignedToken } from '../gateway/auth/token.js';
import { resolveSecrets } from '../gateway/auth/secret.js';
import type { Config } from '../config/load.js';
import { UsageError } from './exit.js';

export interface TokenInput {
  /** `-` stands for stdin. */
  readonly argument: string | undefined;
  readonly tokenFile: string | undefined;
}

/** @throws UsageError if there is no token to read. The message never has the token. */
export async function readTokenInput({ argument, tokenFile }: TokenInput): Promise<string> {
  if (argument !== undefined && tokenFile !== undefined)
    throw new UsageError('Give the token once: as an argument, or with --token-file.');
  const token = (await readText(argument, tokenFile)).trim();
  if (token === '') throw new UsageError('There is no token: the input is empty.');
  return token;
}

async function readText(argument: string | undefined, tokenFile: string | undefined) {
  if (argument !== undefined && argument !== '-') return argument;
  if (tokenFile === undefined) return text(process.stdin);
  try {
    return await readFile(tokenFile, 'utf8');
  } catch (cause) {
    throw new UsageError(`The token file ${tokenFile} cannot be read.`, { cause });
  }
}

/** Verifies the token with the configured keys; undefined without a valid signature. */
export async function verifyLocally(
  token: string,
  config: Config,
): Promise<SignedToken | undefined> {
  const keys = [...(await resolveSecrets(config)), ...config.jwtPublicKeys];
  return inspectToken(keys, token, Date.now());
}
