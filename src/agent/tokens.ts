// Where the agent's token comes from: a file that somebody writes, or, where there is none yet or its token will not do
// any more, the gateway, for the token with which VMs enrol. What that gives is kept in the same file, 0600.

import { readFile } from 'node:fs/promises';
import { readExpiryMs } from '../client/token.js';
import { readSystemCode } from '../processes/system-code.js';
import { AgentFileError } from './errors.js';
import { reasonOf, type Ask } from './gateway-api.js';
import { replaceFile } from './state-file.js';

/** A token that ends so soon is not worth asking with. */
const NEARLY_EXPIRED_MS = 60_000;

export interface AgentTokens {
  /** The one at hand; enrols if there is none. */
  readonly current: () => Promise<string>;
  /** One other than was given the last time, if there is a way to it. */
  readonly fresh: () => Promise<string>;
}

/** Those that somebody puts into the file: it is read anew every time. */
export function fileTokens(file: string): AgentTokens {
  const read = async (): Promise<string> => {
    const token = await readToken(file);
    if (token === undefined) throw new AgentFileError(`There is no token file ${file}.`);
    return token;
  };
  return { current: read, fresh: read };
}

export interface EnrolmentParts {
  readonly ask: Ask;
  readonly hostname: string;
  readonly tokenFile: string;
  readonly enrolTokenFile: string;
  /** Kept over restarts: with it a lost answer can be asked for again. */
  readonly nonce: string;
}

export function enrolledTokens(parts: EnrolmentParts): AgentTokens {
  let given: string | undefined;
  const give = (token: string): string => (given = token);
  return {
    current: async () => {
      const kept = await readToken(parts.tokenFile);
      return kept !== undefined && isGood(kept) ? kept : enrol(parts);
    },
    fresh: async () => {
      const kept = await readToken(parts.tokenFile);
      // Given before, it is about to end, or was refused.
      const isNews = kept !== undefined && kept !== given && isGood(kept);
      return give(isNews ? kept : await enrol(parts));
    },
  };
}

/** @throws Error with the gateway's reason: whoever asks for a token asks again later. */
async function enrol(parts: EnrolmentParts): Promise<string> {
  const { ask, hostname, nonce, tokenFile, enrolTokenFile } = parts;
  const enrolToken = await readToken(enrolTokenFile);
  if (enrolToken === undefined)
    throw new AgentFileError(`There is no token file ${enrolTokenFile}.`);
  const answer = await ask('POST', '/v1/enrolments', enrolToken, { hostname, nonce });
  const token = answer.body?.token;
  if (answer.status !== 201 || typeof token !== 'string') {
    throw new Error(`the VM could not be enrolled: ${reasonOf(answer)}`);
  }
  await replaceFile(tokenFile, `${token}\n`);
  return token;
}

function isGood(token: string): boolean {
  const endsAtMs = readExpiryMs(token);
  return endsAtMs === undefined || endsAtMs - Date.now() > NEARLY_EXPIRED_MS;
}

/** Undefined when there is no such file. */
async function readToken(file: string): Promise<string | undefined> {
  try {
    const token = (await readFile(file, 'utf8')).trim();
    return token === '' ? undefined : token;
  } catch (error) {
    if (readSystemCode(error) === 'ENOENT') return undefined;
    throw new AgentFileError(`The token file ${file} cannot be read.`, { cause: error });
  }
}
