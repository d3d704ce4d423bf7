// A connection that is kept up: it connects, comes back as the close codes say, and ends only when it is told to,
// when its token is refused and there is no other, or when the gateway says not to come back.

import type { ClientMessage, ServerMessage } from '../protocol/messages.js';
import type { Address } from './address.js';
import { pauseMs } from './backoff.js';
import { Link, REFUSED, type Ending } from './link.js';
import { askReason } from './refusal.js';
import { sleep, type Runtime } from './runtime.js';
import type { Tokens } from './token.js';

/** The connection as it is. */
export type ConnectionState =
  | { readonly phase: 'connecting' }
  /** Connected, and what is held is the current state. */
  | { readonly phase: 'live' }
  /** Connected, but the gateway has lost its database: what is held is what was last known. */
  | { readonly phase: 'gap' }
  | {
      readonly phase: 'reconnecting';
      /** When the next try begins: milliseconds since the epoch. */
      readonly nextTryMs: number;
      /** Why the last connection or try ended, for people. */
      readonly reason: string;
      /** A WebSocket close code or, below 1000, an HTTP status. */
      readonly code: number | undefined;
    }
  | Closed;

/** How it ended for good. */
export interface Closed {
  readonly phase: 'closed';
  /** Whether the gateway ended it; otherwise the program did. */
  readonly refused: boolean;
  /** For people. */
  readonly reason: string;
  /** A WebSocket close code or, below 1000, an HTTP status. */
  readonly code: number | undefined;
}

/** An `error` of the gateway's: it refused the last message, and the connection goes on. */
export type Refusal = Extract<ServerMessage, { type: 'error' }>;

/** The messages that tell the state of one VM or of all. */
export type StateMessage = Exclude<ServerMessage, { type: 'welcome' | 'feed' | 'error' | 'pong' }>;

/** What a connection is for, and who is told. */
export interface ConnectionEvents {
  /** Path and query to connect to now. */
  readonly target: () => string;
  /** A new socket is being opened: what was half told on the last one is void. */
  readonly begin: () => void;
  /** @returns `current` once everything is told, `partial` before, `misplaced` when it cannot be applied. */
  readonly take: (message: StateMessage) => 'current' | 'partial' | 'misplaced';
  /** The next socket has to be told everything. */
  readonly startOver: () => void;
  readonly state: (state: ConnectionState) => void;
  readonly refusal: (refusal: Refusal) => void;
  /** Every text frame as it came. */
  readonly frame: (text: string) => void;
}

export interface Gateway {
  readonly address: Address;
  readonly tokens: Tokens;
  readonly runtime: Runtime;
  /** Nothing is connected once it is aborted. */
  readonly signal: AbortSignal | undefined;
}

/** A connection that held this long was a good one: the back-off begins anew. */
const STABLE_MS = 10_000;

export class Connection {
  #state: ConnectionState = { phase: 'connecting' };
  readonly #stop = new AbortController();
  #link: Link | undefined;
  #feedLive = true;
  #current = false;
  #failures = 0;
  #welcomedMs: number | undefined;

  constructor(
    private readonly gateway: Gateway,
    private readonly events: ConnectionEvents,
  ) {}

  get state(): ConnectionState {
    return this.#state;
  }

  /** Keeps the connection up; resolves when it is closed for good. */
  async run(): Promise<void> {
    while (!this.#stopped()) {
      this.#setState({ phase: 'connecting' });
      const ending = await this.#connect();
      if (ending.startOver === true) this.events.startOver();
      if (!this.#stopped()) await this.#pause(ending);
    }
  }

  /** Hands a message to the gateway. @returns false when there is no open socket; nothing is kept for later. */
  send(message: ClientMessage): boolean {
    return this.#link?.send(message) ?? false;
  }

  close(refused = false, reason = 'closed by the program', code?: number): void {
    if (this.#stopped()) return;
    this.#stop.abort();
    this.#link?.close();
    this.#setState({ phase: 'closed', refused, reason, code });
  }

  async #connect(): Promise<Ending> {
    const { address, tokens, runtime } = this.gateway;
    let token: string;
    try {
      token = await tokens.get();
    } catch (cause) {
      return { return: 'soon', reason: `there is no token: ${String(cause)}` };
    }
    if (this.#stopped()) return { return: 'no', reason: 'closed' };
    this.events.begin();
    const target = this.events.target();
    const ended = await this.#openLink(address.webSocket + target, token);
    const ending =
      ended === REFUSED
        ? await askReason(address.http + target, token, runtime, this.#stop.signal)
        : ended;
    if (ending.return !== 'new-token') return ending;
    tokens.drop();
    return tokens.renewable ? ending : { ...ending, return: 'no' };
  }

  async #openLink(url: string, token: string): Promise<Ending | typeof REFUSED> {
    const { tokens, runtime } = this.gateway;
    this.#current = false;
    this.#link = new Link(url, token, tokens, runtime, {
      frame: this.events.frame,
      welcome: (live) => {
        this.#feedLive = live;
        this.#welcomedMs = runtime.now();
      },
      message: (message) => this.#take(message),
    });
    const ended = await this.#link.ended;
    this.#link = undefined;
    return ended;
  }

  #take(message: ServerMessage): boolean {
    switch (message.type) {
      case 'feed':
        this.#feedLive = message.live;
        break;
      case 'error':
        this.events.refusal(message);
        break;
      case 'welcome':
      case 'pong':
        break;
      default: {
        const taken = this.events.take(message);
        if (taken === 'misplaced') return false;
        this.#current ||= taken === 'current';
      }
    }
    this.#tellWhetherLive();
    return true;
  }

  #tellWhetherLive(): void {
    const phase = this.#feedLive ? 'live' : 'gap';
    // A listener may have closed the connection meanwhile.
    if (this.#current && !this.#stopped() && this.#state.phase !== phase) this.#setState({ phase });
  }

  async #pause({ return: how, reason, code, notBeforeMs }: Ending): Promise<void> {
    const { runtime } = this.gateway;
    if (how === 'no') {
      this.close(true, reason, code);
      return;
    }
    const heldMs = runtime.now() - (this.#welcomedMs ?? runtime.now());
    this.#welcomedMs = undefined;
    if (heldMs >= STABLE_MS) this.#failures = 0;
    const delayMs = pauseMs(how, this.#failures++, runtime.random(), notBeforeMs);
    this.#setState({ phase: 'reconnecting', nextTryMs: runtime.now() + delayMs, reason, code });
    await sleep(runtime, delayMs, this.#stop.signal);
  }

  #stopped(): boolean {
    return this.#stop.signal.aborted;
  }

  #setState(state: ConnectionState): void {
    this.#state = state;
    this.events.state(state);
  }
}
