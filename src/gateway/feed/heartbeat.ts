// Verifies that notifications arrive: a beat is sent through the query pool on this gateway's own
// channel and must reach the listener in time. This detects what a check of one connection cannot:
// a dead TCP link, a transaction pooler, a pool and a listener that ended up on different servers.

export interface FeedHeartbeatSettings {
  readonly intervalMs: number;
  /** A beat that has not arrived by then counts as missed. */
  readonly deadlineMs: number;
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
 * Why a beat was missed. `lost`: sent, but not received in time. `unanswered`: the database did not
 * confirm the sending in time. `failed`: the database, or the way to it, refused the query.
 */
export type MissReason = 'lost' | 'unanswered' | 'failed';

export class FeedHeartbeat {
  #timer: NodeJS.Timeout | undefined;
  /** The beat under way; one that arrives after its deadline does not count. */
  #awaited: { readonly beat: string; readonly sinceMs: number; sent: boolean } | undefined;
  #count = 0;

  constructor(
    private readonly settings: FeedHeartbeatSettings,
    private readonly events: FeedHeartbeatEvents,
  ) {}

  /** Begins a series of beats, the first at once; ends a series under way. */
  start(): void {
    this.stop();
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
    this.events.arrived(roundTripMs);
  }

  #tick(): void {
    const awaited = this.#awaited;
    if (awaited === undefined) this.#send();
    else if (performance.now() - awaited.sinceMs > this.settings.deadlineMs) {
      // After the process stood still, timers run before the data that arrived meanwhile is read.
      setImmediate(() => {
        if (this.#awaited === awaited) this.#miss(awaited.sent ? 'lost' : 'unanswered', undefined);
      });
    }
  }

  #miss(reason: MissReason, error: unknown): void {
    this.#awaited = undefined;
    this.events.missed(reason, error);
  }

  #send(): void {
    const awaited = { beat: String(++this.#count), sinceMs: performance.now(), sent: false };
    this.#awaited = awaited;
    this.events.send(awaited.beat).then(
      () => (awaited.sent = true),
      (error: unknown) => {
        if (this.#awaited === awaited) this.#miss('failed', error);
      },
    );
  }
}
