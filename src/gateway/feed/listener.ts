// The one LISTEN connection: opened, lost, and opened again for ever. Nothing sent while it is down is heard, so
// whoever hears `up` must read the table. It never stops reading its socket: a listener that does fills the
// server's queue, and then every notifying commit fails (PostgreSQL, NOTIFY).

import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { chooseBackoffMs, type Backoff } from '../../backoff.js';
import { openListenConnection, type ListenConnection } from './listen-connection.js';

export interface ListenerEvents {
  /** A new connection listens to all channels. Everything before this moment may have been missed. */
  readonly up: () => void;
  /** The connection is lost, or could not be had. Called once for every attempt that failed. */
  readonly down: (reason: Error) => void;
  /** Must not throw. */
  readonly notification: (channel: string, payload: string) => void;
}

const RETRY: Backoff = { baseMs: 100, capMs: 5_000 };
/** A connection that ended sooner, and over which nothing was ever heard, counts as one that failed. */
const SHORT_LIFE_MS = 1_000;

export class Listener {
  readonly #stopped = new AbortController();
  #connection: ListenConnection | undefined;
  /** Something was heard over the present connection, or the last one. */
  #heard = false;
  #running: Promise<void> | undefined;

  /** @param config of a direct connection: through a transaction pooler nothing would arrive. */
  constructor(
    private readonly config: pg.ClientConfig,
    private readonly channels: readonly string[],
    private readonly events: ListenerEvents,
  ) {}

  start(): void {
    this.#running ??= this.#run();
  }

  /** Gives up the present connection, if any: it is believed dead. Another is opened at once. */
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
      const failed = !this.#heard && performance.now() - beganMs < SHORT_LIFE_MS;
      failures = failed ? failures + 1 : 0;
      this.events.down(reason);
      // The first loss is answered at once: most are a restart, or somebody who ended the session.
      if (failures > 1) await this.#pause(failures);
    }
  }

  #isStopped(): boolean {
    return this.#stopped.signal.aborted;
  }

  /** Listens until the connection is lost, or cannot be had, and says why. */
  async #listen(): Promise<Error> {
    const { config, channels, events } = this;
    const { signal } = this.#stopped;
    this.#heard = false;
    const hear = (channel: string, payload: string): void => {
      this.#heard = true;
      events.notification(channel, payload);
    };
    try {
      const connection = await openListenConnection(config, channels, hear, signal);
      this.#connection = connection;
      if (signal.aborted) connection.drop(new Error('the gateway stops'));
      else events.up();
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
