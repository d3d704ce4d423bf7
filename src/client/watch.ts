// Watching, whatever is watched: a connection that is kept up, the state at hand, events, and an iteration in which
// a slow consumer finds what changed since it last looked and never a queue.

import {
  Connection,
  type Closed,
  type ConnectionState,
  type Gateway,
  type Refusal,
  type StateMessage,
} from './connection.js';
import type { ClientMessage } from '../protocol/messages.js';
import { Emitter } from './emitter.js';

/** What is held of the things watched. Pure. */
export interface Model<State, Update> {
  readonly state: State;
  /** Path and query to connect to now. */
  readonly target: string;
  /** A new socket is being opened: what was half told on the last one is void. */
  begin(): void;
  /** @returns the update once there is one, `partial` before, `misplaced` when the message cannot be applied. */
  take(message: StateMessage): { readonly update: Update } | 'partial' | 'misplaced';
  /** The next socket has to be told everything. */
  startOver(): void;
  /** What a consumer who knows nothing yet has to be told. */
  pending(): Pending<Update>;
}

/** What one consumer has not looked at yet: bounded, whatever is added. */
export interface Pending<Update> {
  add(update: Update): void;
  /** Everything added since the last time as one update; undefined when there is nothing. */
  take(): Update | undefined;
}

export interface WatchEvents<Update> {
  /** The state was told or has changed; `state` has it already. */
  readonly update: Update;
  readonly connection: ConnectionState;
  /** The gateway refused the last message that was sent to it. */
  readonly refusal: Refusal;
  /** A text frame as it came, of whatever type. */
  readonly frame: string;
}

/** Thrown out of an iteration that the gateway ended for good. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';

  constructor(
    reason: string,
    /** A WebSocket close code or, below 1000, an HTTP status. */
    readonly code: number | undefined,
  ) {
    super(reason);
  }
}

/**
 * Something that is being watched, from its creation until `close`, the client's signal, or a refusal for good.
 *
 * Iterating gives the state as it is (once it is known) and then what changes; who is slow gets several changes as
 * one. To leave the loop closes the watch. A refusal for good is thrown; any other end just ends the loop.
 */
export class Watch<State, Update> implements AsyncIterable<Update> {
  /** Resolves when the watch is over; never rejects. */
  readonly closed: Promise<Closed>;
  readonly #model: Model<State, Update>;
  readonly #connection: Connection;
  readonly #emitter = new Emitter<WatchEvents<Update>>();

  constructor(gateway: Gateway, model: Model<State, Update>) {
    this.#model = model;
    this.#connection = new Connection(gateway, {
      target: () => model.target,
      begin: () => model.begin(),
      startOver: () => model.startOver(),
      take: (message) => this.#take(message),
      state: (state) => this.#emitter.emit('connection', state),
      refusal: (refusal) => this.#emitter.emit('refusal', refusal),
      frame: (text) => this.#emitter.emit('frame', text),
    });
    this.closed = new Promise((resolve) => {
      this.on('connection', (state) => {
        if (state.phase === 'closed') resolve(state);
      });
    });
    // In a moment, so that whoever made the watch can listen to it from the start.
    queueMicrotask(() => {
      if (gateway.signal?.aborted === true) this.close();
      void this.#connection.run();
    });
  }

  /** What was last told. */
  get state(): State {
    return this.#model.state;
  }

  /** The connection as it is. */
  get connection(): ConnectionState {
    return this.#connection.state;
  }

  /** Calls `listener`, at once and in order, for each event. @returns what removes it. */
  on<Name extends keyof WatchEvents<Update>>(
    name: Name,
    listener: (event: WatchEvents<Update>[Name]) => void,
  ): () => void {
    return this.#emitter.on(name, listener);
  }

  /** Ends the watch and says goodbye to the gateway. */
  close(): void {
    this.#connection.close();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Update, void, undefined> {
    const pending = this.#model.pending();
    let wake = (): void => undefined;
    const stopUpdates = this.on('update', (update) => {
      pending.add(update);
      wake();
    });
    const stopStates = this.on('connection', () => wake());
    try {
      while (this.connection.phase !== 'closed') {
        const update = pending.take();
        if (update === undefined) await new Promise<void>((resolve) => (wake = resolve));
        else yield update;
      }
    } finally {
      stopUpdates();
      stopStates();
      this.close();
    }
    const { reason, refused, code } = await this.closed;
    if (refused) throw new RefusedError(reason, code);
  }

  protected send(message: ClientMessage): boolean {
    return this.#connection.send(message);
  }

  #take(message: StateMessage): 'current' | 'partial' | 'misplaced' {
    const taken = this.#model.take(message);
    if (typeof taken === 'string') return taken;
    this.#emitter.emit('update', taken.update);
    return 'current';
  }
}
