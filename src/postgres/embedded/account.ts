// Which account of the operating system the server runs as. PostgreSQL refuses to run as root, so
// root hands it to an account that owns nothing else; everybody else runs it as themselves.

import { stat } from 'node:fs/promises';
import { EmbeddedError } from './errors.js';
import { systemCode } from '../../processes/system-code.js';

export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/**
 * The user and group id that root gives the server. It has no name and no other process: `nobody`
 * (65534) is shared by unrelated daemons, each of which could then open the private socket and read
 * the files. Debian reserves 65000–65533 and systemd hands out none above 65519; 16 bits, so that a
 * rootless container (65,536 ids) has it too.
 */
export const SERVER_ID = 65524;

/**
 * The account for the cluster in `clusterDir`: undefined means "as ourselves". A cluster that
 * already exists keeps its owner, because PostgreSQL starts only for the owner of its files.
 */
export async function accountFor(clusterDir: string): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  if (process.platform !== 'linux') {
    throw new EmbeddedError(
      'start_failed',
      'PostgreSQL refuses to run as root. Start the gateway as an ordinary user, ' +
        'or name a database with DATABASE_URL.',
    );
  }
  const owner = await ownerOf(clusterDir);
  return owner === undefined || owner.uid === 0 ? { uid: SERVER_ID, gid: SERVER_ID } : owner;
}

async function ownerOf(path: string): Promise<Account | undefined> {
  try {
    const { uid, gid } = await stat(path);
    return { uid, gid };
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
