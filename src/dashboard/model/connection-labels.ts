// The labels of the connection's state: whether the page is up to date, and what happens next.

import type { ConnectionState } from '../../client/index.js';

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
        detail: 'The page shows the last known state and updates itself when the database is back.',
      };
    case 'connecting':
      return loaded
        ? { tone: 'busy', title: 'Catching up', detail: 'Loading the changes that were missed.' }
        : { tone: 'busy', title: 'Connecting', detail: 'Loading the fleet.' };
    case 'reconnecting': {
      const seconds = Math.max(0, Math.ceil((state.nextTryMs - nowMs) / 1_000));
      const when = seconds === 0 ? 'Reconnecting' : `Reconnecting in ${seconds} s`;
      return {
        tone: 'trouble',
        title: when,
        detail: `${formatSentence(state.reason)} Nothing is lost.`,
      };
    }
    case 'closed':
      return { tone: 'trouble', title: 'Ended', detail: formatSentence(state.reason) };
  }
}

function formatSentence(text: string): string {
  const first = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(first) ? first : `${first}.`;
}
