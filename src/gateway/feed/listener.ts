// The one LISTEN connection: opened, lost, and opened again without end. Notifications sent while
// the connection is down are lost, so the table must be read after each `connected`. The listener
// never stops reading its socket: a listener that does fills the server's queue, and then every
// notifying commit fails (PostgreSQL, NOTIFY).

import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { chooseBackoffMs, type Backoff } from '../../time/backoff.js';
import { openListenConnection, type ListenConnection } from './listen-connection.js';
import type { NotificationSource, SourceEvents } from './source.js';

const RETRY: Backoff = { baseMs: 100, capMs: 5_000 };
/** A connection that ended sooner, without a single notification, counts as a failed attempt. */
const SHORT_LIFE_MS = 1_000;

export class Listener implements NotificationSource {
  readonly #stopped = new AbortController();
  #connection: ListenConnection | undefined;
  /** A notification arrived on the present connection, or on the last one. */
  #received = false;
  #running: Promise<void> | undefined;

  /** @param config of a direct connection: through a transaction pooler nothing would arrive. */
  constructor(
    private readonly config: pg.ClientConfig,
    private readonly channels: readonly string[],
    private readonly events: SourceEvents,
  ) {}

  start(): void {
    this.#running ??= this.#run();
  }

  reconnect(reason: Error): void {
    this.#connection?.drop(reason);
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#connection?.drop(new Error('the gateway stops'));
    await this.#running;
  }

  async #run(): Promise<void> {
    let failures = 0;
    while (!this.#isStopped()) {
      const beganMs = performance.now();
      const reason = await this.#listen();
      if (this.#isStopped()) return;
      const failed = !this.#received && performance.now() - beganMs < SHORT_LIFE_MS;
      failures = failed ? failures + 1 : 0;
      this.events.disconnected(reason);
      // No pause after the first loss: most are a restart, or an operator who ended the session.
      if (failures > 1) await this.#pause(failures);
    }
  }

  #isStopped(): boolean {
    return this.#stopped.signal.aborted;
  }

  /** Listens until the connection is lost or cannot be opened, and returns the reason. */
  async #listen(): Promise<Error> {
    const { config, channels, events } = this;
    const { signal } = this.#stopped;
    this.#received = false;
    const receive = (channel: string, payload: string): void => {
      this.#received = true;
      events.notification(channel, payload);
    };
    try {
      const connection = await openListenConnection(config, channels, receive, signal);
      this.#connection = connection;
      if (signal.aborted) connection.drop(new Error('the gateway stops'));
      else events.connected();
      return await connection.lost;
    } catch (error) {
      return new Error('cannot listen', { cause: error });
    } finally {
      this.#connection = undefined;
    }
  }

  /** Pauses, so that many gateways do not return to a database together. */
  async #pause(failures: number): Promise<void> {
    const pauseMs = chooseBackoffMs(RETRY, failures, Math.random());
    const { signal } = this.#stopped;
    await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
  }
}
