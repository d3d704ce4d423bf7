// The operating system's account that the server runs as. PostgreSQL refuses to run as root, so
// root hands the server to another account of this machine; every other user runs the server
// themselves.

import { readFile, stat } from 'node:fs/promises';
import { EmbeddedError } from './errors.js';
import { readSystemCode } from '../../processes/system-code.js';

/** A user id and a group id of the operating system. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** The first comes with packages of PostgreSQL, the second is on nearly every system. */
const PREFERRED_NAMES = ['postgres', 'nobody'];

/**
 * Lists the accounts that may run the server on the cluster in `clusterDir`, the preferred one
 * first; `undefined` is the account of this process. A cluster that exists keeps its owner, because
 * PostgreSQL starts only for the owner of its files.
 *
 * @throws EmbeddedError `start_failed` if this process is root and cannot become another account.
 */
export async function listServerAccounts(
  clusterDir: string,
): Promise<readonly (Account | undefined)[]> {
  if (process.getuid?.() !== 0) return [undefined];
  if (process.platform !== 'linux') {
    throw new EmbeddedError(
      'start_failed',
      'PostgreSQL refuses to run as root. Start the gateway as an ordinary user, ' +
        'or name a database with DATABASE_URL.',
    );
  }
  const owner = await readOwner(clusterDir);
  return owner === undefined || owner.uid === 0 ? listUnprivilegedAccounts() : [owner];
}

/**
 * Lists the accounts of this machine that root may run a server as: PREFERRED_NAMES first, then the
 * others in the order of /etc/passwd. An account must exist, because initdb looks up its name.
 *
 * @param path a file in the format of passwd(5).
 * @throws EmbeddedError `start_failed` if root is the only account.
 */
export async function listUnprivilegedAccounts(path = '/etc/passwd'): Promise<Account[]> {
  const text = await readFile(path, 'utf8').catch(() => '');
  const accounts = parsePasswd(text);
  if (accounts.length === 0) {
    throw new EmbeddedError(
      'start_failed',
      'PostgreSQL refuses to run as root, and this machine has no other account: add one ' +
        '(useradd --system postgres), or name a database with DATABASE_URL.',
    );
  }
  return accounts;
}

/** Reads the lines `name:password:uid:gid:…` of passwd(5), without root's. */
export function parsePasswd(text: string): Account[] {
  const lines = text.split('\n').flatMap((line) => {
    const [name = '', , uid = '', gid = ''] = line.split(':');
    return /^[1-9]\d*$/.test(uid) && /^\d+$/.test(gid)
      ? [{ name, account: { uid: Number(uid), gid: Number(gid) } }]
      : [];
  });
  const preferred = PREFERRED_NAMES.flatMap((name) => lines.filter((line) => line.name === name));
  return [...new Set([...preferred, ...lines])].map(({ account }) => account);
}

async function readOwner(path: string): Promise<Account | undefined> {
  try {
    const { uid, gid } = await stat(path);
    return { uid, gid };
  } catch (error) {
    if (readSystemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
