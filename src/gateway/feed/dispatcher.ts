// Where notifications come in: each is parsed, judged, and counted by what became of it. Never throws, because an
// exception in a notification handler would stop the connection that calls it.

import {
  NOTICES_CHANNEL,
  parseNotice,
  parsePresence,
  parseRow,
  PRESENCE_CHANNEL,
  ROWS_CHANNEL,
  type Parsed,
  type RejectReason,
} from './notification.js';
import type { Truth, Verdict } from './reconciler.js';

/** What became of a notification. A label of a metric. */
export type Outcome = Verdict | 'notice' | 'rejected' | 'heartbeat';

export interface IntakeEvents {
  /** Every notification ends here. */
  readonly taken: (channel: string, outcome: Outcome) => void;
  /** A payload that none of our triggers sends. Its content may be secret: only its length is told. */
  readonly rejected: (channel: string, reason: RejectReason, length: number) => void;
  /** Something must be read. */
  readonly doubtful: () => void;
  /** The presence of these hostnames must be read. */
  readonly presence: (hostnames: readonly string[]) => void;
  readonly heartbeat: (payload: string) => void;
  /** What should never happen; the fleet may have missed something. */
  readonly bug: (error: unknown) => void;
}

/** Makes the handler of every notification of the LISTEN connection. */
export function createIntake(
  truth: Truth,
  events: IntakeEvents,
): (channel: string, payload: string) => void {
  return (channel, payload) => {
    try {
      events.taken(channel, take(truth, events, channel, payload));
    } catch (error) {
      events.bug(error);
    }
  };
}

function take(truth: Truth, events: IntakeEvents, channel: string, payload: string): Outcome {
  switch (channel) {
    case ROWS_CHANNEL:
      return judge(truth, events, channel, payload, parseRow(payload));
    case NOTICES_CHANNEL:
      return judge(truth, events, channel, payload, parseNotice(payload));
    case PRESENCE_CHANNEL:
      return takePresence(events, payload);
    default:
      events.heartbeat(payload);
      return 'heartbeat';
  }
}

function judge(
  truth: Truth,
  events: IntakeEvents,
  channel: string,
  payload: string,
  parsed: Parsed,
): Outcome {
  if (parsed.kind === 'row') {
    const verdict = truth.news(parsed.row);
    if (verdict === 'doubtful') events.doubtful();
    return verdict;
  }
  if (parsed.kind === 'rejected') events.rejected(channel, parsed.reason, payload.length);
  if (parsed.kind === 'read-all') truth.doubtAll();
  else if (parsed.hostname !== undefined) truth.doubt(parsed.hostname);
  events.doubtful();
  return parsed.kind === 'rejected' ? 'rejected' : 'notice';
}

function takePresence(events: IntakeEvents, payload: string): Outcome {
  const parsed = parsePresence(payload);
  if (typeof parsed === 'string') {
    events.rejected(PRESENCE_CHANNEL, parsed, payload.length);
    return 'rejected';
  }
  events.presence(parsed);
  return 'notice';
}
