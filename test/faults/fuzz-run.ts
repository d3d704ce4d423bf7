// A run of the fuzzer: of twelve texts that it makes eleven go through the parser and sessions, one
// to a gateway's sockets, where it costs a hundred times as much; what is held after a quarter of
// it is what may be held in the end.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { TestGateway } from '../helpers/gateway.js';
import { until } from '../helpers/until.js';
import { FuzzedCore } from './fuzz-core.js';
import { fuzzUpgrades } from './fuzz-upgrade.js';
import { Mutations } from './mutations.js';

/** The growth that compiled code, caches and a heap's own bookkeeping may add after a quarter. */
const SPARE_BYTES = 6 * 1024 * 1024;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

export interface FuzzVerdict {
  readonly quarterBytes: number;
  readonly endBytes: number;
  readonly grown: boolean;
}

/** Resolves when all of it has been survived; rejects with what was not. */
export async function fuzz(
  gateway: TestGateway,
  count: number,
  seed: number,
): Promise<FuzzVerdict> {
  const mutations = new Mutations(seed);
  const core = new FuzzedCore(mutations);
  const tokens = await Promise.all([
    gateway.token('admin'),
    gateway.token('dashboard'),
    gateway.token('agent', 'vm-1'),
  ]);
  const quarter = async (): Promise<number> => {
    await core.feed(Math.floor((count * 11) / 48));
    await fuzzUpgrades(gateway.url, tokens, Math.floor(count / 48), mutations);
    await until('the gateway has seen all of them off', () => openSockets(gateway));
    collect();
    return process.memoryUsage().heapUsed;
  };
  const quarterBytes = await quarter();
  await quarter();
  await quarter();
  const endBytes = await quarter();
  return { quarterBytes, endBytes, grown: endBytes > quarterBytes + SPARE_BYTES };
}

async function openSockets(gateway: TestGateway): Promise<boolean> {
  const text = await (await gateway.fetch('/metrics')).text();
  return !/^lablink_sessions\{.*\} [1-9]/m.test(text);
}
