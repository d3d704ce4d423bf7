// The state of the connection, in words: what is shown, how fresh it is, and what comes next.

import type { ConnectionState } from '../../client/index.js';

export type ConnectionTone = 'live' | 'busy' | 'trouble';

export interface ConnectionLabel {
  readonly tone: ConnectionTone;
  readonly title: string;
  readonly detail: string;
}

/** @param loaded whether the fleet was ever told. */
export function describeConnection(
  state: ConnectionState,
  loaded: boolean,
  nowMs: number,
): ConnectionLabel {
  switch (state.phase) {
    case 'live':
      return { tone: 'live', title: 'Live', detail: 'Every change is shown as it happens.' };
    case 'stale':
      return {
        tone: 'trouble',
        title: 'Database away',
        detail: 'What is shown is what was last known; it is brought up to date by itself.',
      };
    case 'connecting':
      return loaded
        ? { tone: 'busy', title: 'Catching up', detail: 'What was missed is being told.' }
        : { tone: 'busy', title: 'Connecting', detail: 'The fleet is being told.' };
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
