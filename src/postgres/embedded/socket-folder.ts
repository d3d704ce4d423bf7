// The folder of the private Unix socket: the cluster's own, which nobody but the server's account
// and root can enter, or a short one elsewhere when the path would be too long for a socket.

import { chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Account } from './account.js';

/** `sun_path` has 104 bytes on macOS and the BSDs, 108 on Linux, with its NUL (unix(7)). */
const MAX_SOCKET_PATH_BYTES = 103;

export interface SocketFolder {
  /** What clients take as host. */
  readonly path: string;
  /** What the server takes as `unix_socket_directories`: it works inside the cluster. */
  readonly setting: string;
  remove(): Promise<void>;
}

export async function socketFolder(
  cluster: string,
  port: number,
  account: Account | undefined,
): Promise<SocketFolder> {
  const longest = join(cluster, `.s.PGSQL.${port}.lock`);
  if (Buffer.byteLength(longest) <= MAX_SOCKET_PATH_BYTES) {
    return { path: cluster, setting: '.', remove: () => Promise.resolve() };
  }
  const path = await mkdtemp(join(temporaryFolder(account), 'lablink-'));
  if (account !== undefined) await chown(path, account.uid, account.gid);
  return { path, setting: path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** Root's own may be closed to the account; one that is itself too long will not do either. */
function temporaryFolder(account: Account | undefined): string {
  const longest = join(tmpdir(), 'lablink-XXXXXX', '.s.PGSQL.65535.lock');
  const fits = Buffer.byteLength(longest) <= MAX_SOCKET_PATH_BYTES;
  return account === undefined && fits ? tmpdir() : '/tmp';
}
