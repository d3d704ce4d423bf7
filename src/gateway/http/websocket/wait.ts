// Waiting for a VM to change without a socket: on the fleet, without a connection to the database.

import type { VmEntry } from '../../fleet/entry.js';
import type { Hub, VmSubscriber } from '../../hub/hub.js';

/** `changed` to this, or to nothing; the time was `up`; or nobody waits any more. */
export type WaitResult =
  | { readonly outcome: 'changed'; readonly entry: VmEntry | undefined }
  | { readonly outcome: 'up' }
  | { readonly outcome: 'ended' };

/**
 * Resolves when the VM's version differs from the one given, 0 for a VM that there is not; at once if it does already.
 * @param ended told when waiting is of no more use: the client left, or the gateway ends
 */
export function waitForVersion(
  hub: Hub,
  { hostname, version, forMs }: { hostname: string; version: number; forMs: number },
  ended: readonly AbortSignal[],
): Promise<WaitResult> {
  const { promise, resolve } = withResolver<WaitResult>();
  const look = (): void => {
    const entry = findEntry(hub, hostname);
    if ((entry?.version ?? 0) !== version) resolve({ outcome: 'changed', entry });
  };
  const end = (): void => resolve({ outcome: 'ended' });
  const watcher: VmSubscriber = {
    hostname,
    projection: 'full',
    push: look,
    sendFeedState: () => undefined,
  };
  const timer = setTimeout(() => resolve({ outcome: 'up' }), forMs);
  hub.subscribeToVm(watcher);
  for (const signal of ended) signal.addEventListener('abort', end);
  if (ended.some(({ aborted }) => aborted)) end();
  else look();
  return promise.finally(() => {
    clearTimeout(timer);
    hub.unsubscribeFromVm(watcher);
    for (const signal of ended) signal.removeEventListener('abort', end);
  });
}

function findEntry(hub: Hub, hostname: string): VmEntry | undefined {
  const entry = hub.fleet.get(hostname);
  return entry?.kind === 'vm' ? entry : undefined;
}

function withResolver<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((done) => (resolve = done));
  return { promise, resolve };
}
