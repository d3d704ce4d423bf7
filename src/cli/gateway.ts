// Which gateway a command means, and a token for it: the one that runs here, unless told otherwise.

import type { Config } from '../config.js';
import { readLock } from '../database/embedded/lock.js';
import { signHere } from './sign.js';

export interface FoundGateway {
  readonly url: string;
  /** A token to look with, made from the secret that is configured or kept here. @throws UsageError without one */
  token(): Promise<string>;
}

const TTL_SECONDS = 3_600;

export async function findGateway(config: Config): Promise<FoundGateway> {
  const lock = await readLock(config.dataDir);
  const host = config.host.includes(':') ? `[${config.host}]` : config.host;
  return {
    url: lock?.url ?? `http://${host}:${config.port}`,
    token: () => signHere({ role: 'admin', sub: 'cli', ttlSeconds: TTL_SECONDS }, config),
  };
}
