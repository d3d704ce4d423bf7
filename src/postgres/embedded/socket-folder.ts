// The folder of the private Unix socket: only the server's account and root can enter it. It is the
// cluster's folder, or a short temporary one if the path would be too long for a socket.

import { chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Account } from './account.js';

/** `sun_path` has 104 bytes on macOS and the BSDs, 108 on Linux, with its NUL (unix(7)). */
const MAX_SOCKET_PATH_BYTES = 103;

export interface SocketFolder {
  /** What clients use as host. */
  readonly path: string;
  /** The server's `unix_socket_directories`; its working directory is the cluster. */
  readonly setting: string;
  /** Removes a temporary folder. */
  remove(): Promise<void>;
}

/** Returns the folder for the socket of the server on `cluster`, and creates one if necessary. */
export async function createSocketFolder(
  cluster: string,
  port: number,
  account: Account | undefined,
): Promise<SocketFolder> {
  const longest = join(cluster, `.s.PGSQL.${port}.lock`);
  if (Buffer.byteLength(longest) <= MAX_SOCKET_PATH_BYTES) {
    return { path: cluster, setting: '.', remove: () => Promise.resolve() };
  }
  const path = await mkdtemp(join(chooseTemporaryFolder(account), 'lablink-'));
  if (account !== undefined) await chown(path, account.uid, account.gid);
  return { path, setting: path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** Root's own folder may be closed to the account, and TMPDIR itself may be too long. */
function chooseTemporaryFolder(account: Account | undefined): string {
  const longest = join(tmpdir(), 'lablink-XXXXXX', '.s.PGSQL.65535.lock');
  const fits = Buffer.byteLength(longest) <= MAX_SOCKET_PATH_BYTES;
  return account === undefined && fits ? tmpdir() : '/tmp';
}
