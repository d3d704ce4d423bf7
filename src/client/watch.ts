// A watch, on one VM or on the fleet: a connection that reconnects, the current state, events, and
// an iteration. A slow consumer of the iteration gets what changed since it last read: changes are
// merged, so that no queue grows.

import type { ClientMessage } from '../protocol/messages.js';
import { Emitter } from './emitter.js';
import {
  ReconnectingConnection,
  type ClientContext,
  type Closed,
  type ConnectionState,
  type Rejection,
  type StateMessage,
} from './reconnecting-connection.js';

/** The state of a watch, without any I/O. */
export interface WatchModel<State, Update> {
  readonly state: State;
  /** The path and query to connect to now. */
  readonly path: string;
  /** A new socket is opening: drop the unfinished snapshot of the last one. */
  dropPartial(): void;
  /**
   * Applies a message. Returns the update once the state is complete, `partial` before, and
   * `misplaced` if the message cannot follow the ones before it.
   */
  apply(message: StateMessage): { readonly update: Update } | 'partial' | 'misplaced';
  /** The next socket must ask for the whole state. */
  resync(): void;
  /** Returns the whole state as unread updates, for a consumer that knows nothing yet. */
  createPending(): PendingUpdates<Update>;
}

/** The updates that one consumer has not read yet. Their size is bounded. */
export interface PendingUpdates<Update> {
  add(update: Update): void;
  /** Returns everything since the last call as one update; undefined if nothing was added. */
  take(): Update | undefined;
}

export interface WatchEvents<Update> {
  /** The gateway sent the state or a change. `state` has it already when the listener is called. */
  readonly update: Update;
  /** The connection changed its state; see `ConnectionState`. */
  readonly connection: ConnectionState;
  /** The gateway rejected the last message that was sent to it. */
  readonly rejection: Rejection;
  /** A text frame arrived, of any type; the listener gets it unchanged. */
  readonly frame: string;
}

/** Thrown from an iteration after the gateway closed the watch for good. */
export class RejectedError extends Error {
  override readonly name = 'RejectedError';

  constructor(
    reason: string,
    /** A WebSocket close code or, below 1000, an HTTP status; undefined if there was neither. */
    readonly code: number | undefined,
  ) {
    super(reason);
  }
}

/**
 * A watch lasts from its creation until `close` is called, the client's signal is aborted, or the
 * gateway rejects it for good.
 *
 * An iteration starts with the current state, once it is known, and goes on with the changes. A
 * slow consumer gets several changes as one. Leaving the loop closes the watch. If the gateway
 * rejects the watch for good, the loop throws `RejectedError`; otherwise it just ends.
 */
export class Watch<State, Update> implements AsyncIterable<Update> {
  /** Resolves when the watch is closed; never rejects. */
  readonly closed: Promise<Closed>;
  readonly #model: WatchModel<State, Update>;
  readonly #connection: ReconnectingConnection;
  readonly #emitter = new Emitter<WatchEvents<Update>>();

  constructor(context: ClientContext, model: WatchModel<State, Update>) {
    this.#model = model;
    this.#connection = new ReconnectingConnection(context, {
      path: () => model.path,
      socketOpening: () => model.dropPartial(),
      resync: () => model.resync(),
      apply: (message) => this.#apply(message),
      stateChanged: (state) => this.#emitter.emit('connection', state),
      rejection: (rejection) => this.#emitter.emit('rejection', rejection),
      frame: (text) => this.#emitter.emit('frame', text),
    });
    this.closed = new Promise((resolve) => {
      this.on('connection', (state) => {
        if (state.phase === 'closed') resolve(state);
      });
    });
    // Not at once, so that the caller can add listeners before the first event.
    queueMicrotask(() => {
      if (context.signal?.aborted === true) this.close();
      void this.#connection.run();
    });
  }

  /** The state as the gateway last sent it. */
  get state(): State {
    return this.#model.state;
  }

  /** The state of the connection. */
  get connection(): ConnectionState {
    return this.#connection.state;
  }

  /**
   * Calls `listener` for each event, at once and in order. An exception in a listener is reported
   * as an uncaught exception, and disturbs no other listener.
   * @returns a function that removes the listener.
   */
  on<Name extends keyof WatchEvents<Update>>(
    name: Name,
    listener: (event: WatchEvents<Update>[Name]) => void,
  ): () => void {
    return this.#emitter.on(name, listener);
  }

  /**
   * Connects at once if the watch waits to reconnect, for a person who asks for it. Repeated calls
   * do not shorten the pause after the next failure.
   */
  reconnectNow(): void {
    this.#connection.reconnectNow();
  }

  /** Closes the watch, with a close handshake. A closed watch stays closed. */
  close(): void {
    this.#connection.close();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Update, void, undefined> {
    const pending = this.#model.createPending();
    let wake = (): void => undefined;
    const removeUpdates = this.on('update', (update) => {
      pending.add(update);
      wake();
    });
    const removeStates = this.on('connection', () => wake());
    try {
      while (this.connection.phase !== 'closed') {
        const update = pending.take();
        if (update === undefined) await new Promise<void>((resolve) => (wake = resolve));
        else yield update;
      }
    } finally {
      removeUpdates();
      removeStates();
      this.close();
    }
    const { reason, rejected, code } = await this.closed;
    if (rejected) throw new RejectedError(reason, code);
  }

  protected send(message: ClientMessage): boolean {
    return this.#connection.send(message);
  }

  #apply(message: StateMessage): 'current' | 'partial' | 'misplaced' {
    const result = this.#model.apply(message);
    if (typeof result === 'string') return result;
    this.#emitter.emit('update', result.update);
    return 'current';
  }
}
