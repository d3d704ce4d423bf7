// Replaces pg's Client and Node's Socket below the real pool and the real pg-listen: the same
// events and the same errors, over the modelled network.

import { EventEmitter } from 'node:events';
import { Link, type Endpoint, type LinkKind } from './link.js';
import type { Server, ServerSession } from './server.js';
import { SqlError } from './sql-error.js';
import type { Timer } from './virtual-time.js';

/** Where a connection goes. A part of the configuration that the gateway is given. */
export interface Route {
  readonly endpoint: Endpoint;
  readonly kind: LinkKind;
  /** The server that the address leads to now. */
  readonly server: () => Server;
  readonly notified: (channel: string, payload: string) => void;
}

/** A socket without a network: it can be destroyed, and says when it is. */
export class SimulatedSocket extends EventEmitter {
  destroyed = false;
  onDestroyed = (): void => undefined;

  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.onDestroyed();
    queueMicrotask(() => this.emit('close'));
  }
}

interface Config {
  readonly route: Route;
  readonly stream?: () => SimulatedSocket;
  readonly query_timeout?: number;
  readonly connectionTimeoutMillis?: number;
}

type Callback = (error: Error | undefined, result?: unknown) => void;

/** A query object of pg. */
interface Submittable {
  readonly text: string;
  readonly values?: readonly unknown[];
  readonly callback: Callback;
  readonly query_timeout?: number;
  emit(event: 'row', row: unknown): void;
}

interface Job {
  readonly text: string;
  readonly values: readonly unknown[];
  readonly onRow: ((row: unknown) => void) | undefined;
  callback: Callback;
  timer?: Timer | undefined;
}

export class SimulatedClient extends EventEmitter {
  _queryable = true;
  _ending = false;
  readonly connection: { readonly stream: SimulatedSocket };
  readonly #route: Route;
  readonly #link: Link;
  #session: ServerSession | undefined;
  #connecting: Callback | undefined;
  #isEnded = false;
  readonly #jobs: Job[] = [];
  #active: Job | undefined;

  constructor(private readonly config: Config) {
    super();
    const socket = config.stream?.() ?? new SimulatedSocket();
    this.connection = { stream: socket };
    this.#route = config.route;
    this.#link = new Link(this.#route.endpoint, this.#route.kind);
    this.#link.onClientBroken = () => socket.destroy();
    socket.onDestroyed = () => this.#lose();
  }

  connect(callback?: Callback): Promise<void> | undefined {
    if (callback !== undefined) {
      this.#connect(callback);
      return undefined;
    }
    return new Promise((resolve, reject) =>
      this.#connect((error) => (error === undefined ? resolve() : reject(error))),
    );
  }

  query(query: string | Submittable, values?: readonly unknown[], callback?: Callback): unknown {
    if (typeof query !== 'string') {
      this.#enqueue(
        {
          text: query.text,
          values: query.values ?? [],
          onRow: (row) => query.emit('row', row),
          callback: query.callback,
        },
        query.query_timeout,
      );
      return query;
    }
    if (callback !== undefined) {
      this.#enqueue({ text: query, values: values ?? [], onRow: undefined, callback });
      return undefined;
    }
    return new Promise((resolve, reject) =>
      this.#enqueue({
        text: query,
        values: values ?? [],
        onRow: undefined,
        callback: (error, result) => (error === undefined ? resolve(result) : reject(error)),
      }),
    );
  }

  end(callback?: Callback): Promise<void> | undefined {
    this._ending = true;
    const socket = this.connection.stream;
    const ended = new Promise<void>((resolve) => {
      if (this.#isEnded) resolve();
      else this.once('end', resolve);
    });
    if (this.#active !== undefined || !this._queryable || this.#connecting !== undefined)
      socket.destroy();
    else if (!socket.destroyed) {
      // The server closes its end of the connection in answer.
      socket.emit('finish');
      const session = this.#session;
      this.#link.toServer(() => session?.server.whenAwake(() => session.server.close(session)));
    }
    if (callback === undefined) return ended;
    void ended.then(() => callback(undefined));
    return undefined;
  }

  #connect(callback: Callback): void {
    this.#connecting = callback;
    const { connectionTimeoutMillis: timeoutMs } = this.config;
    const { route } = this.config;
    if (timeoutMs !== undefined)
      route.endpoint.time.after(timeoutMs, () => {
        if (this.#connecting !== undefined) this.#fail(new Error('timeout expired'));
      });
    this.#link.toServer(() => {
      const server = route.server();
      if (server.isDown)
        this.#link.toClient(() =>
          this.#fail(Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })),
        );
      else server.whenAwake(() => this.#open(server));
    });
  }

  #open(server: Server): void {
    const session = server.connect(this.#link, this.#route.endpoint.name);
    if (session instanceof SqlError) {
      this.#link.toClient(() => this.#fail(session));
      return;
    }
    session.onNotification = (channel, payload) => {
      if (this.connection.stream.destroyed) return;
      this.#route.notified(channel, payload);
      this.emit('notification', { channel, payload });
    };
    this.#link.toClient(() => {
      const connected = this.#connecting;
      this.#session = session;
      this.#connecting = undefined;
      this.emit('connect');
      connected?.(undefined);
    });
  }

  #fail(error: Error): void {
    const connecting = this.#connecting;
    this.#connecting = undefined;
    this.connection.stream.destroy();
    connecting?.(error);
  }

  #enqueue(job: Job, timeoutMs = this.config.query_timeout): void {
    const refusal = !this._queryable
      ? 'Client has encountered a connection error and is not queryable'
      : this._ending
        ? 'Client was closed and is not queryable'
        : undefined;
    if (refusal !== undefined) {
      queueMicrotask(() => job.callback(new Error(refusal)));
      return;
    }
    if (timeoutMs !== undefined && timeoutMs < 2 ** 31 - 1)
      job.timer = this.#route.endpoint.time.after(timeoutMs, () => {
        const { callback } = job;
        job.callback = () => undefined;
        callback(new Error('Query read timeout'));
      });
    this.#jobs.push(job);
    this.#startNext();
  }

  #startNext(): void {
    const session = this.#session;
    if (this.#active !== undefined || session === undefined || this.connection.stream.destroyed)
      return;
    const job = this.#jobs.shift();
    if (job === undefined) return;
    this.#active = job;
    const { server } = session;
    this.#link.toServer(() =>
      server.whenAwake(() =>
        server.execute(session, job.text, job.values, (error, results) =>
          this.#link.toClient(() => this.#finish(job, error, results)),
        ),
      ),
    );
  }

  #finish(job: Job, error: SqlError | undefined, results: unknown): void {
    if (this.#active !== job || this.connection.stream.destroyed) return;
    this.#active = undefined;
    if (job.timer !== undefined) job.timer.cancelled = true;
    if (error === undefined && job.onRow !== undefined)
      for (const row of (results as { rows: unknown[] }).rows) job.onRow(row);
    job.callback(error, results);
    this.#startNext();
  }

  /** The socket was destroyed, by either side. */
  #lose(): void {
    this.#link.closeByClient();
    const wasConnecting = this.#connecting;
    this.#connecting = undefined;
    const error = new Error(
      this._ending ? 'Connection terminated' : 'Connection terminated unexpectedly',
    );
    const jobs = [...(this.#active === undefined ? [] : [this.#active]), ...this.#jobs.splice(0)];
    this.#active = undefined;
    this._queryable = false;
    queueMicrotask(() => {
      wasConnecting?.(error);
      for (const job of jobs) {
        if (job.timer !== undefined) job.timer.cancelled = true;
        job.callback(error);
      }
      if (!this._ending && this.#session !== undefined && this.listenerCount('error') > 0)
        this.emit('error', error);
      this.#isEnded = true;
      this.emit('end');
    });
  }
}
