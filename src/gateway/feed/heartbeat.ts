// The proof that notifications arrive: a beat is sent through the query pool on this gateway's own channel and must
// reach the listener in time. It sees what a check of either connection alone cannot: a dead TCP link, a
// transaction pooler between us and the server, a pool and a listener that ended up on different servers.

export interface HeartbeatSettings {
  readonly intervalMs: number;
  /** A beat that has not arrived by then will not. */
  readonly deadlineMs: number;
}

export interface HeartbeatEvents {
  /** Sends the text as a notification on the gateway's own channel, through the pool. */
  readonly send: (beat: string) => Promise<void>;
  /** The beat came back, this long after it was sent: LISTEN works now. */
  readonly arrived: (roundTripMs: number) => void;
  /** `error` says why where it `failed`. */
  readonly missed: (reason: MissReason, error: unknown) => void;
}

/**
 * `lost`: sent, but not heard in time. `unanswered`: the database did not even say in time that it was sent.
 * `failed`: the database, or the way to it, refused it.
 */
export type MissReason = 'lost' | 'unanswered' | 'failed';

export class Heartbeat {
  #timer: NodeJS.Timeout | undefined;
  /** The beat that is awaited; a late one of before is not an answer. */
  #awaited: { readonly beat: string; readonly sinceMs: number; sent: boolean } | undefined;
  #count = 0;

  constructor(
    private readonly settings: HeartbeatSettings,
    private readonly events: HeartbeatEvents,
  ) {}

  /** Begins a series of beats, at once; a series under way is forgotten. */
  start(): void {
    this.stop();
    this.#timer = setInterval(() => this.#tick(), this.settings.intervalMs);
    this.#send();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#awaited = undefined;
  }

  /** A notification on the gateway's own channel. */
  received(payload: string): void {
    if (this.#awaited?.beat !== payload) return;
    const roundTripMs = performance.now() - this.#awaited.sinceMs;
    this.#awaited = undefined;
    this.events.arrived(roundTripMs);
  }

  #tick(): void {
    const awaited = this.#awaited;
    if (awaited === undefined) this.#send();
    else if (performance.now() - awaited.sinceMs > this.settings.deadlineMs) {
      // After a standstill of the process timers run before what has arrived meanwhile is read.
      setImmediate(() => {
        if (this.#awaited === awaited)
          this.#giveUp(awaited.sent ? 'lost' : 'unanswered', undefined);
      });
    }
  }

  #giveUp(reason: MissReason, error: unknown): void {
    this.#awaited = undefined;
    this.events.missed(reason, error);
  }

  #send(): void {
    const awaited = { beat: String(++this.#count), sinceMs: performance.now(), sent: false };
    this.#awaited = awaited;
    this.events.send(awaited.beat).then(
      () => (awaited.sent = true),
      (error: unknown) => {
        if (this.#awaited === awaited) this.#giveUp('failed', error);
      },
    );
  }
}
