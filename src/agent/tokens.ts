// The agent's token. It comes from a file that an administrator or another program writes, or from
// the gateway by enrolment. A token from the gateway is kept in the same file, with mode 0600.

import { readFile, stat } from 'node:fs/promises';
import { readExpiryMs } from '../client/token.js';
import { replaceFile } from '../processes/replace-file.js';
import { readSystemCode } from '../processes/system-code.js';
import { AgentFileError } from './errors.js';
import { explainResponse, type SendRequest } from './gateway-api.js';

/** A token that expires this soon is not used. */
const NEARLY_EXPIRED_MS = 60_000;

export interface AgentTokens {
  /** Returns the token in the file; enrols if there is no usable one. */
  readonly current: () => Promise<string>;
  /** Returns another token than last time, if the file or the gateway has one. */
  readonly fresh: () => Promise<string>;
}

/** Reads the token file each time, so that another program may replace the token. */
export function createFileTokens(file: string): AgentTokens {
  const read = async (): Promise<string> => {
    const token = await readToken(file);
    if (token === undefined) throw new AgentFileError(`There is no token file ${file}.`);
    return token;
  };
  return { current: read, fresh: read };
}

export interface EnrolmentOptions {
  readonly sendRequest: SendRequest;
  readonly hostname: string;
  readonly tokenFile: string;
  readonly enrolTokenFile: string;
  /** Kept over restarts: with the same nonce the agent may enrol again after a lost response. */
  readonly nonce: string;
}

/** Keeps the token that the gateway issues in the token file, and enrols again when it must. */
export function createEnrolledTokens(options: EnrolmentOptions): AgentTokens {
  let returned: string | undefined;
  return {
    current: async () => {
      const kept = await readToken(options.tokenFile);
      return kept !== undefined && isUsable(kept) ? kept : enrol(options);
    },
    fresh: async () => {
      const kept = await readToken(options.tokenFile);
      // The client asks again for a token that it had: it expires soon, or was rejected.
      const isOther = kept !== undefined && kept !== returned && isUsable(kept);
      returned = isOther ? kept : await enrol(options);
      return returned;
    },
  };
}

/** @throws Error with the gateway's reason; the caller tries again later. */
async function enrol(options: EnrolmentOptions): Promise<string> {
  const { sendRequest, hostname, nonce, tokenFile, enrolTokenFile } = options;
  const enrolToken = await readToken(enrolTokenFile);
  if (enrolToken === undefined)
    throw new AgentFileError(`There is no token file ${enrolTokenFile}.`);
  const response = await sendRequest('POST', '/v1/enrolments', enrolToken, { hostname, nonce });
  const token = response.body?.token;
  if (response.status !== 201 || typeof token !== 'string') {
    throw new Error(`the VM could not be enrolled: ${explainResponse(response)}`);
  }
  await replaceFile(tokenFile, `${token}\n`);
  return token;
}

function isUsable(token: string): boolean {
  const expiresAtMs = readExpiryMs(token);
  return expiresAtMs === undefined || expiresAtMs - Date.now() > NEARLY_EXPIRED_MS;
}

/**
 * Warns if other users can read the token file. It is used nevertheless: container platforms mount
 * secrets as files that every user of the container can read.
 */
export async function warnIfExposed(file: string, log: (text: string) => void): Promise<void> {
  const { mode } = await stat(file).catch(() => ({ mode: 0 }));
  if ((mode & 0o044) !== 0)
    log(`Other users may read the token file ${file}; run: chmod 600 ${file}`);
}

/** Returns undefined if there is no such file, or it is empty. */
async function readToken(file: string): Promise<string | undefined> {
  try {
    const token = (await readFile(file, 'utf8')).trim();
    return token === '' ? undefined : token;
  } catch (error) {
    if (readSystemCode(error) === 'ENOENT') return undefined;
    throw new AgentFileError(`The token file ${file} cannot be read.`, { cause: error });
  }
}
