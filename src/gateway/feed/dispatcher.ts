// Every notification enters here: it is parsed, handed to the part that it concerns, and counted by
// its outcome. Never throws: an exception in a notification handler would end the connection.

import {
  INVALIDATIONS_CHANNEL,
  parseInvalidation,
  parsePresence,
  parseRow,
  PRESENCE_CHANNEL,
  REVOCATIONS_CHANNEL,
  ROWS_CHANNEL,
  type ParsedNotification,
  type RejectReason,
} from './notification.js';
import type { AssignmentClaim } from './assignment-proof.js';
import type { ApplyResult, Reconciler } from './reconciler.js';

/** The outcome of a notification. A label of a metric. */
export type NotificationOutcome = ApplyResult | 'invalidation' | 'rejected' | 'heartbeat';

/**
 * Returns the version of the row at which the table made this assignment; undefined if that cannot
 * be verified.
 */
export type VerifyClaim = (claim: AssignmentClaim) => number | undefined;

export interface DispatcherEvents {
  /** Called once for each notification that was handled. */
  readonly handled: (channel: string, outcome: NotificationOutcome) => void;
  /** No trigger of ours sends this payload. It may be secret, so only its length is passed on. */
  readonly rejected: (channel: string, reason: RejectReason, length: number) => void;
  /** A row, or the table, must be read. */
  readonly invalidated: () => void;
  /** The presence of these hostnames must be read. */
  readonly presenceInvalidated: (hostnames: readonly string[]) => void;
  /** The list of revoked tokens must be read. */
  readonly revocationsInvalidated: () => void;
  readonly heartbeat: (payload: string) => void;
  /** A bug: the notification was not applied, or not completely. */
  readonly failed: (error: unknown) => void;
}

export class Dispatcher {
  constructor(
    private readonly reconciler: Reconciler,
    private readonly verify: VerifyClaim,
    private readonly events: DispatcherEvents,
  ) {}

  /** Handles one notification. Never throws. */
  handle(channel: string, payload: string): void {
    try {
      this.events.handled(channel, this.#dispatch(channel, payload));
    } catch (error) {
      this.events.failed(error);
    }
  }

  #dispatch(channel: string, payload: string): NotificationOutcome {
    switch (channel) {
      case ROWS_CHANNEL:
        return this.#apply(channel, payload, parseRow(payload));
      case INVALIDATIONS_CHANNEL:
        return this.#apply(channel, payload, parseInvalidation(payload));
      case PRESENCE_CHANNEL:
        return this.#invalidatePresence(payload);
      case REVOCATIONS_CHANNEL:
        this.events.revocationsInvalidated();
        return 'invalidation';
      default:
        this.events.heartbeat(payload);
        return 'heartbeat';
    }
  }

  #apply(channel: string, payload: string, parsed: ParsedNotification): NotificationOutcome {
    if (parsed.kind === 'row') {
      const madeAt = parsed.claim && this.verify(parsed.claim);
      const result = this.reconciler.apply(parsed.row, madeAt);
      if (result === 'stale' || result === 'unproven') this.events.invalidated();
      return result;
    }
    if (parsed.kind === 'rejected') this.events.rejected(channel, parsed.reason, payload.length);
    if (parsed.kind === 'read-all') this.reconciler.invalidateAll();
    else if (parsed.hostname !== undefined) this.reconciler.invalidate(parsed.hostname);
    this.events.invalidated();
    return parsed.kind === 'rejected' ? 'rejected' : 'invalidation';
  }

  #invalidatePresence(payload: string): NotificationOutcome {
    const parsed = parsePresence(payload);
    if (typeof parsed === 'string') {
      this.events.rejected(PRESENCE_CHANNEL, parsed, payload.length);
      return 'rejected';
    }
    this.events.presenceInvalidated(parsed);
    return 'invalidation';
  }
}
