// How a connection fares, in words for a person who looks at stderr.

import type { ConnectionState } from '../client/index.js';

/** Undefined where there is nothing to say. */
export function formatConnectionState(state: ConnectionState): string | undefined {
  switch (state.phase) {
    case 'connecting':
      return undefined;
    case 'live':
      return 'live';
    case 'stale':
      return 'gap: the gateway cannot hear its database; this is what was last known';
    case 'reconnecting': {
      const seconds = Math.ceil((state.nextTryMs - Date.now()) / 1000);
      return `reconnecting in ${seconds} s: ${state.reason}`;
    }
    case 'closed':
      return state.rejected ? `refused: ${state.reason}` : undefined;
  }
}
