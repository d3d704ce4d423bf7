// A connection that reconnects, as the gateway's close codes and HTTP answers say. It closes for
// good only if the program closes it, the gateway rejects it for good, or its token is rejected
// and there is no other.

import type { ClientMessage, ServerMessage } from '../protocol/messages.js';
import type { GatewayAddress } from './address.js';
import { reconnectDelayMs } from './reconnect-policy.js';
import { explainRejection } from './rejection.js';
import { sleep, type Runtime } from './runtime.js';
import { NOT_OPENED, SocketSession, type CloseOutcome } from './socket-session.js';
import type { TokenCache } from './token.js';

/** The state of a watch's connection. */
export type ConnectionState =
  | { readonly phase: 'connecting' }
  /** Connected, and the watch's state is current. */
  | { readonly phase: 'live' }
  /** Connected, but the gateway has lost its database: the watch's state may be out of date. */
  | { readonly phase: 'stale' }
  | {
      readonly phase: 'reconnecting';
      /** When the next attempt begins: milliseconds since the epoch. */
      readonly nextTryMs: number;
      /** Why the last connection or attempt ended, for people. */
      readonly reason: string;
      /** A WebSocket close code or, below 1000, an HTTP status; undefined if there was neither. */
      readonly code: number | undefined;
      /** The runtime's error, if the runtime gave one: in Node, why the network failed. */
      readonly cause?: unknown;
    }
  | Closed;

/** Why a watch was closed for good. */
export interface Closed {
  readonly phase: 'closed';
  /** True if the gateway closed it, false if the program did. */
  readonly rejected: boolean;
  /** For people. */
  readonly reason: string;
  /** A WebSocket close code or, below 1000, an HTTP status; undefined if there was neither. */
  readonly code: number | undefined;
}

/** An `error` message: the gateway rejected the last message. The connection stays open. */
export type Rejection = Extract<ServerMessage, { type: 'error' }>;

/** The messages that carry the state of one VM or of the fleet. */
export type StateMessage = Exclude<ServerMessage, { type: 'welcome' | 'feed' | 'error' | 'pong' }>;

export interface ConnectionEvents {
  /** Returns the path and query to connect to now. */
  readonly path: () => string;
  /** A new socket is opening: drop the unfinished snapshot of the last one. */
  readonly socketOpening: () => void;
  /**
   * Applies a message. Returns `current` once the state is complete, `partial` before, and
   * `misplaced` if the message cannot follow the ones before it.
   */
  readonly apply: (message: StateMessage) => 'current' | 'partial' | 'misplaced';
  /** The next socket must ask for the whole state. */
  readonly resync: () => void;
  readonly stateChanged: (state: ConnectionState) => void;
  readonly rejection: (rejection: Rejection) => void;
  /** Every text frame, unchanged. */
  readonly frame: (text: string) => void;
}

/** The parts that all watches of one client share. */
export interface ClientContext {
  readonly address: GatewayAddress;
  readonly tokens: TokenCache;
  readonly runtime: Runtime;
  /** Once it is aborted, no watch connects any more. */
  readonly signal: AbortSignal | undefined;
}

/** After a connection that lasted this long, the backoff starts again from the beginning. */
const STABLE_MS = 10_000;

export class ReconnectingConnection {
  #state: ConnectionState = { phase: 'connecting' };
  readonly #stop = new AbortController();
  /** Ends the pause before the next attempt; undefined before the first pause. */
  #pause: AbortController | undefined;
  #session: SocketSession | undefined;
  #feedLive = true;
  #current = false;
  #failures = 0;
  #welcomedAtMs: number | undefined;

  constructor(
    private readonly context: ClientContext,
    private readonly events: ConnectionEvents,
  ) {}

  get state(): ConnectionState {
    return this.#state;
  }

  /** Connects, and reconnects, until the connection is closed for good; then resolves. */
  async run(): Promise<void> {
    while (!this.#isStopped()) {
      this.#setState({ phase: 'connecting' });
      const outcome = await this.#connect();
      if (outcome.resync === true) this.events.resync();
      if (!this.#isStopped()) await this.#waitOrClose(outcome);
    }
  }

  /** Sends a message. @returns false if there is no open socket; nothing is kept for later. */
  send(message: ClientMessage): boolean {
    return this.#session?.send(message) ?? false;
  }

  /** Ends the pause before the next attempt to connect; has no effect outside of a pause. */
  reconnectNow(): void {
    this.#pause?.abort();
  }

  close(rejected = false, reason = 'closed by the program', code?: number): void {
    if (this.#isStopped()) return;
    this.#stop.abort();
    this.#pause?.abort();
    this.#session?.close();
    this.#setState({ phase: 'closed', rejected, reason, code });
  }

  async #connect(): Promise<CloseOutcome> {
    const { address, tokens, runtime } = this.context;
    let token: string | undefined;
    try {
      token = await tokens.get();
    } catch (cause) {
      return { return: 'soon', reason: `there is no token: ${String(cause)}`, cause };
    }
    if (this.#isStopped()) return { return: 'no', reason: 'closed' };
    this.events.socketOpening();
    const path = this.events.path();
    const result = await this.#runSession(address.webSocket + path, token);
    const outcome =
      result === NOT_OPENED
        ? await explainRejection(address.http + path, token, runtime, this.#stop.signal)
        : result;
    if (outcome.return !== 'new-token') return outcome;
    tokens.invalidate();
    return tokens.renewable ? outcome : { ...outcome, return: 'no' };
  }

  async #runSession(
    url: string,
    token: string | undefined,
  ): Promise<CloseOutcome | typeof NOT_OPENED> {
    const { tokens, runtime } = this.context;
    this.#current = false;
    this.#session = new SocketSession(url, token, tokens, runtime, {
      frame: this.events.frame,
      welcome: (live) => {
        this.#feedLive = live;
        this.#welcomedAtMs = runtime.now();
      },
      message: (message) => this.#handle(message),
    });
    const outcome = await this.#session.ended;
    this.#session = undefined;
    return outcome;
  }

  /** Returns false if the message cannot follow the ones before it. */
  #handle(message: ServerMessage): boolean {
    switch (message.type) {
      case 'feed':
        this.#feedLive = message.live;
        break;
      case 'error':
        this.events.rejection(message);
        break;
      case 'welcome':
      case 'pong':
        break;
      default: {
        const result = this.events.apply(message);
        if (result === 'misplaced') return false;
        this.#current ||= result === 'current';
      }
    }
    this.#updatePhase();
    return true;
  }

  #updatePhase(): void {
    const phase = this.#feedLive ? 'live' : 'stale';
    // A listener may have closed the connection meanwhile.
    if (this.#current && !this.#isStopped() && this.#state.phase !== phase)
      this.#setState({ phase });
  }

  async #waitOrClose(outcome: CloseOutcome): Promise<void> {
    const { return: policy, reason, code, cause, notBeforeMs } = outcome;
    const { runtime } = this.context;
    if (policy === 'no') {
      this.close(true, reason, code);
      return;
    }
    const lastedMs = runtime.now() - (this.#welcomedAtMs ?? runtime.now());
    this.#welcomedAtMs = undefined;
    if (lastedMs >= STABLE_MS) this.#failures = 0;
    const delayMs = reconnectDelayMs(policy, this.#failures++, runtime.random(), notBeforeMs);
    const nextTryMs = runtime.now() + delayMs;
    // Created before the listeners run: a listener may close the connection or end the pause.
    const pause = new AbortController();
    this.#pause = pause;
    this.#setState({ phase: 'reconnecting', nextTryMs, reason, code, cause });
    await sleep(runtime, delayMs, pause.signal);
  }

  #isStopped(): boolean {
    return this.#stop.signal.aborted;
  }

  #setState(state: ConnectionState): void {
    this.#state = state;
    this.events.stateChanged(state);
  }
}
