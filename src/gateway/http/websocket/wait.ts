// Waits for a change of one VM, for HTTP clients. It uses the fleet, and no connection to the
// database.

import type { VmEntry } from '../../fleet/entry.js';
import type { Hub, VmSubscriber } from '../../hub/hub.js';

/** The VM `changed`, or was deleted; the time was `up`; or the wait `ended` without a reader. */
export type WaitResult =
  | { readonly outcome: 'changed'; readonly entry: VmEntry | undefined }
  | { readonly outcome: 'up' }
  | { readonly outcome: 'ended' };

/**
 * Resolves when the VM's version differs from the given one (0 if there is no such VM), at once if
 * it differs already.
 * @param forMs the longest wait, in ms
 * @param ended aborted when waiting is of no use: the client left, or the gateway ends
 */
export async function waitForVersion(
  hub: Hub,
  { hostname, version, forMs }: { hostname: string; version: number; forMs: number },
  ended: readonly AbortSignal[],
): Promise<WaitResult> {
  const cleanUp: (() => void)[] = [];
  try {
    return await new Promise<WaitResult>((resolve) => {
      const look = (): void => {
        const entry = findEntry(hub, hostname);
        if ((entry?.version ?? 0) !== version) resolve({ outcome: 'changed', entry });
      };
      const subscriber: VmSubscriber = {
        hostname,
        projection: 'full',
        push: look,
        sendFeedState: () => undefined,
      };
      hub.subscribeToVm(subscriber);
      const timer = setTimeout(() => resolve({ outcome: 'up' }), forMs);
      const end = (): void => resolve({ outcome: 'ended' });
      for (const signal of ended) signal.addEventListener('abort', end);
      cleanUp.push(
        () => clearTimeout(timer),
        () => hub.unsubscribeFromVm(subscriber),
        () => ended.forEach((signal) => signal.removeEventListener('abort', end)),
      );
      if (ended.some(({ aborted }) => aborted)) end();
      else look();
    });
  } finally {
    for (const undo of cleanUp) undo();
  }
}

function findEntry(hub: Hub, hostname: string): VmEntry | undefined {
  const entry = hub.fleet.get(hostname);
  return entry?.kind === 'vm' ? entry : undefined;
}
