// Which gateway a command means, and a token for it: the one that runs here, unless told otherwise.

import type { Config } from '../config/load.js';
import { readLock } from '../postgres/embedded/lock.js';
import { signLocally } from './sign-locally.js';

export interface LocalGateway {
  readonly url: string;
  /** A token to look with, made from the secret that is configured or kept here. @throws UsageError without one */
  token(): Promise<string>;
}

const TTL_SECONDS = 3_600;

/** One can listen on these and not connect to them (RFC 1122 §3.2.1.3, RFC 4291 §2.5.2). */
const THIS_MACHINE = new Map([
  ['0.0.0.0', '127.0.0.1'],
  ['::', '::1'],
]);

export async function findGateway(config: Config): Promise<LocalGateway> {
  const lock = await readLock(config.dataDir);
  const address = THIS_MACHINE.get(config.host) ?? config.host;
  const host = address.includes(':') ? `[${address}]` : address;
  return {
    url: lock?.url ?? `http://${host}:${config.port}`,
    token: () => signLocally({ role: 'admin', sub: 'cli', ttlSeconds: TTL_SECONDS }, config),
  };
}
