// Explains an outage to the person who watches the page: what is known, what is lost and what is
// not. Nothing is claimed about VMs that the page has never received.

import type { ConnectionState } from '../../client/index.js';

export interface Outage {
  readonly title: string;
  readonly text: string;
  /** Whether trying at once can help. */
  readonly canTryNow: boolean;
}

/** The client library's reason for an HTTP answer: `HTTP 503 not_ready: The gateway has …`. */
const HTTP_REASON = /^HTTP (\d+)(?: (\w+): (.*))?$/s;

const REASONS: Readonly<Record<string, string>> = {
  not_ready: 'The gateway runs, but it has not been able to read the VMs from its database yet.',
  database_unavailable: 'The gateway runs, but its database does not answer.',
  draining: 'The gateway is stopping.',
  too_many_sockets: 'The gateway has no room for another connection.',
  too_many_sockets_of_address: 'Too many pages and agents of this address are connected.',
  too_many_sockets_of_identity: 'Too many pages are connected with this token’s name.',
};

/** Describes why a connection ended or could not be opened, as a sentence for people. */
export function describeReason(reason: string): string {
  const answer = HTTP_REASON.exec(reason);
  if (answer !== null) {
    const [, status = '', code, detail] = answer;
    if (code !== undefined) return REASONS[code] ?? formatSentence(detail ?? '');
    return `A server between this page and the gateway answered with an error (${status}).`;
  }
  if (reason.startsWith('the gateway cannot be reached')) return 'The gateway cannot be reached.';
  return formatSentence(reason);
}

/** Returns the problem code of a reason, by which the documentation explains it; '' if none. */
export function readReasonCode(reason: string): string {
  const code = HTTP_REASON.exec(reason)?.[2];
  return code === undefined ? '' : ` (${code})`;
}

/** Explains why no VM has been received yet; undefined while the first attempt is under way. */
export function explainUnreached(state: ConnectionState): Outage | undefined {
  if (state.phase !== 'reconnecting') return undefined;
  const isDatabase = /^HTTP \d+ (not_ready|database_unavailable)\b/.test(state.reason);
  return {
    title: isDatabase ? 'Waiting for the database' : 'No connection to the gateway',
    text: `${describeReason(state.reason)} Nothing is known about the VMs until then; the page tries again by itself.`,
    canTryNow: true,
  };
}

/** Explains why the VMs on the page may be out of date; undefined if they are not. */
export function explainStale(state: ConnectionState): Outage | undefined {
  switch (state.phase) {
    case 'stale':
      return {
        title: 'The database is unavailable',
        text: 'The page shows the last known state. Commands that run go on, but no VM can be assigned, released or changed until the database is back; then the page updates itself.',
        canTryNow: false,
      };
    case 'reconnecting':
      return { title: 'Not connected', text: describeLoss(state.reason), canTryNow: true };
    case 'connecting':
      return { title: 'Catching up', text: 'The page loads what it has missed.', canTryNow: false };
    default:
      return undefined;
  }
}

function describeLoss(reason: string): string {
  return `${describeReason(reason)} Changes are not lost: they are in the database and appear once the page is connected. The activity may leave out steps in between.`;
}

function formatSentence(text: string): string {
  const first = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(first) ? first : `${first}.`;
}
