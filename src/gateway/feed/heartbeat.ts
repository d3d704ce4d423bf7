// Verifies that notifications arrive: a beat is sent through the query pool on this gateway's own
// channel and must reach the listener in time. This detects what a check of one connection cannot:
// a dead TCP link, a transaction pooler, a pool and a listener that ended up on different servers.

export interface FeedHeartbeatSettings {
  readonly intervalMs: number;
  /** A beat that has not arrived by then counts as missed. */
  readonly deadlineMs: number;
}

/** How long the process could not run, since some moment in the past. */
export interface StandstillMeter {
  readonly totalMs: number;
}

export interface FeedHeartbeatEvents {
  /** Sends the text as a notification on the gateway's own channel, through the pool. */
  readonly send: (beat: string) => Promise<void>;
  /** The beat arrived: notifications arrive now. */
  readonly arrived: (roundTripMs: number) => void;
  /** @param error the cause if the reason is `failed`, else undefined. */
  readonly missed: (reason: MissReason, error: unknown) => void;
}

/**
 * Why a beat was missed. `lost`: sent, but not received in time, and none was ever received on this
 * LISTEN connection. `silent`: the same, but earlier beats were received. `unanswered`: the
 * database did not confirm the sending in time. `busy`: the process stood still for much of the
 * time, so neither is known. `failed`: the database, or the way to it, refused the query.
 */
export type MissReason = 'lost' | 'silent' | 'unanswered' | 'busy' | 'failed';

/**
 * Time in which the process stood still does not count against the deadline, up to this many
 * deadlines: a dead connection must be found on a busy machine too.
 */
const MAX_STANDSTILL_DEADLINES = 2;
/** From this share of the deadline on, the standstill is the reason. */
const BUSY_SHARE = 0.25;

interface Beat {
  readonly beat: string;
  readonly sinceMs: number;
  /** The meter's total when the beat was sent. */
  readonly standstillMs: number;
  sent: boolean;
}

export class FeedHeartbeat {
  #timer: NodeJS.Timeout | undefined;
  /** The beat under way; one that arrives after its deadline does not count. */
  #awaited: Beat | undefined;
  #count = 0;
  /** Whether a beat of this series has arrived. */
  #isProven = false;

  constructor(
    private readonly settings: FeedHeartbeatSettings,
    private readonly events: FeedHeartbeatEvents,
    private readonly standstill: StandstillMeter,
  ) {}

  /** Begins a series of beats, the first at once; ends a series under way. */
  start(): void {
    this.stop();
    this.#isProven = false;
    this.#timer = setInterval(() => this.#tick(), this.settings.intervalMs);
    this.#send();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#awaited = undefined;
  }

  /** A notification arrived on the gateway's own channel. */
  receive(payload: string): void {
    if (this.#awaited?.beat !== payload) return;
    const roundTripMs = performance.now() - this.#awaited.sinceMs;
    this.#awaited = undefined;
    this.#isProven = true;
    this.events.arrived(roundTripMs);
  }

  #tick(): void {
    const awaited = this.#awaited;
    if (awaited === undefined) this.#send();
    else if (this.#isLate(awaited)) {
      // After the process stood still, timers run before the data that arrived meanwhile is read.
      setImmediate(() => {
        if (this.#awaited === awaited) this.#miss(this.#explain(awaited), undefined);
      });
    }
  }

  #isLate({ sinceMs, standstillMs }: Beat): boolean {
    const { deadlineMs } = this.settings;
    const excusedMs = Math.min(
      this.standstill.totalMs - standstillMs,
      MAX_STANDSTILL_DEADLINES * deadlineMs,
    );
    return performance.now() - sinceMs > deadlineMs + excusedMs;
  }

  #explain({ sent, standstillMs }: Beat): MissReason {
    const stoodStillMs = this.standstill.totalMs - standstillMs;
    if (stoodStillMs > BUSY_SHARE * this.settings.deadlineMs) return 'busy';
    if (!sent) return 'unanswered';
    return this.#isProven ? 'silent' : 'lost';
  }

  #miss(reason: MissReason, error: unknown): void {
    this.#awaited = undefined;
    this.events.missed(reason, error);
  }

  #send(): void {
    const awaited: Beat = {
      beat: String(++this.#count),
      sinceMs: performance.now(),
      standstillMs: this.standstill.totalMs,
      sent: false,
    };
    this.#awaited = awaited;
    this.events.send(awaited.beat).then(
      () => (awaited.sent = true),
      (error: unknown) => {
        if (this.#awaited === awaited) this.#miss('failed', error);
      },
    );
  }
}
