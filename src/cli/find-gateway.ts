// Finds the gateway of a command: the one that runs on DATA_DIR, else the configured address.

import type { Config } from '../config/load.js';
import { readLock } from '../postgres/embedded/lock.js';
import { signLocally } from './sign-locally.js';

/** A gateway, and tokens for it. */
export interface LocalGateway {
  readonly url: string;
  /** Signs an admin's token with the local secret. @throws UsageError if there is none. */
  token(): Promise<string>;
}

const TTL_SECONDS = 3_600;

/** Addresses that one can listen on, but not connect to (RFC 1122 §3.2.1.3, RFC 4291 §2.5.2). */
const THIS_MACHINE = new Map([
  ['0.0.0.0', '127.0.0.1'],
  ['::', '::1'],
]);

/** Finds the URL in the lock of DATA_DIR, or derives it from HOST and PORT. */
export async function findGateway(config: Config): Promise<LocalGateway> {
  const lock = await readLock(config.dataDir);
  const address = THIS_MACHINE.get(config.host) ?? config.host;
  const host = address.includes(':') ? `[${address}]` : address;
  return {
    url: lock?.url ?? `http://${host}:${config.port}`,
    token: () => signLocally({ role: 'admin', sub: 'cli', ttlSeconds: TTL_SECONDS }, config),
  };
}
