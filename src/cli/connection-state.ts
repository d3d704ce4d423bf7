// Formats the state of a connection for people, on stderr.

import type { ConnectionState } from '../client/index.js';

/** Returns undefined for states that need no message. */
export function formatConnectionState(state: ConnectionState): string | undefined {
  switch (state.phase) {
    case 'connecting':
      return undefined;
    case 'live':
      return 'live';
    case 'stale':
      return 'stale: the gateway has no live feed from its database; this is the last known state';
    case 'reconnecting': {
      const seconds = Math.ceil((state.nextTryMs - Date.now()) / 1000);
      return `reconnecting in ${seconds} s: ${state.reason}`;
    }
    case 'closed':
      return state.rejected ? `refused: ${state.reason}` : undefined;
  }
}
