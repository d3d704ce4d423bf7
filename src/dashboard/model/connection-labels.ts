// The labels of the connection's state in the header: whether the page is up to date, and what
// happens next.

import type { ConnectionState } from '../../client/index.js';
import { describeReason } from './outage.js';

export type ConnectionTone = 'live' | 'busy' | 'trouble';

export interface ConnectionLabel {
  readonly tone: ConnectionTone;
  readonly title: string;
  readonly detail: string;
}

/**
 * Describes the state of the connection.
 * @param loaded whether the fleet has been received at least once.
 */
export function describeConnection(
  state: ConnectionState,
  loaded: boolean,
  nowMs: number,
): ConnectionLabel {
  switch (state.phase) {
    case 'live':
      return { tone: 'live', title: 'Live', detail: 'Changes appear as they happen.' };
    case 'stale':
      return {
        tone: 'trouble',
        title: 'Database unavailable',
        detail: 'The gateway has lost its database.',
      };
    case 'connecting':
      return loaded
        ? { tone: 'busy', title: 'Catching up', detail: 'Loading the changes that were missed.' }
        : { tone: 'busy', title: 'Connecting', detail: 'Loading the VMs.' };
    case 'reconnecting': {
      const seconds = Math.max(0, Math.ceil((state.nextTryMs - nowMs) / 1_000));
      const title = loaded ? 'Reconnecting' : 'Trying again';
      return {
        tone: 'trouble',
        title: seconds === 0 ? title : `${title} in ${seconds} s`,
        detail: describeReason(state.reason),
      };
    }
    case 'closed':
      return { tone: 'trouble', title: 'Ended', detail: describeReason(state.reason) };
  }
}
