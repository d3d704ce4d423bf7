// One socket from its opening to its end: what the client does on it by itself. It ends exactly once, with the
// reason and whether to come back.

import { CLOSE, returnAfter, type CloseCode, type Return } from '../protocol/close-codes.js';
import type { ClientMessage, ServerMessage } from '../protocol/messages.js';
import { BEARER_SUBPROTOCOL_PREFIX, SUBPROTOCOL } from '../protocol/names.js';
import { Heartbeat } from './heartbeat.js';
import type { Runtime } from './runtime.js';
import { readServerFrame } from './server-message.js';
import type { Socket } from './socket.js';
import type { Tokens } from './token.js';

/** Why a connection, or the attempt at one, is over. */
export interface Ending {
  readonly return: Return;
  /** For people. */
  readonly reason: string;
  /** A WebSocket close code or, below 1000, an HTTP status. */
  readonly code?: number;
  /** Do not come back earlier than this. */
  readonly notBeforeMs?: number;
  /** The state can no longer be continued: it has to be told anew. */
  readonly startOver?: true;
}

/** Ended before it was open; a browser does not say why. */
export const REFUSED = 'refused';

export interface LinkEvents {
  /** Every text frame as it came. */
  readonly frame: (text: string) => void;
  readonly welcome: (live: boolean) => void;
  /** @returns whether the message was in its place; the link ends when not. */
  readonly message: (message: ServerMessage) => boolean;
}

export const MALFORMED: Ending = {
  return: 'later',
  reason: 'the gateway sent something malformed',
  code: CLOSE.badFrame.code,
  startOver: true,
};

/** From the first packet to `welcome`; also how long an answer over HTTP may take. */
export const CONNECT_TIMEOUT_MS = 15_000;

const NORMAL_CLOSURE = 1000;

export class Link {
  readonly ended: Promise<Ending | typeof REFUSED>;
  #end: (ending: Ending | typeof REFUSED) => void = () => undefined;
  #phase: 'opening' | 'open' | 'welcomed' | 'over' = 'opening';
  #socket: Socket | undefined;
  readonly #heartbeat: Heartbeat;
  #cancelDeadline: () => void;
  #stopRenewal = (): void => undefined;

  constructor(
    url: string,
    private readonly token: string,
    private readonly tokens: Tokens,
    private readonly runtime: Runtime,
    private readonly events: LinkEvents,
  ) {
    this.ended = new Promise((resolve) => (this.#end = resolve));
    this.#heartbeat = new Heartbeat(runtime, {
      ping: () => this.send({ type: 'ping' }),
      silent: () => this.#abandon('the gateway has gone silent'),
    });
    this.#cancelDeadline = runtime.after(CONNECT_TIMEOUT_MS, () =>
      this.#abandon('the gateway does not answer'),
    );
    void this.#open(url);
  }

  /** @returns whether there was a socket to hand it to. */
  send(message: ClientMessage): boolean {
    if (this.#phase !== 'welcomed') return false;
    this.#socket?.send(JSON.stringify(message));
    return true;
  }

  /** Says goodbye. */
  close(): void {
    this.#finish({ return: 'no', reason: 'closed', code: NORMAL_CLOSURE });
    this.#socket?.close(NORMAL_CLOSURE);
  }

  async #open(url: string): Promise<void> {
    const protocols = [SUBPROTOCOL, BEARER_SUBPROTOCOL_PREFIX + this.token];
    try {
      const socket = await this.runtime.openSocket(url, protocols, {
        opened: () => {
          if (this.#phase === 'opening') this.#phase = 'open';
        },
        received: (data) => this.#receive(data),
        closed: (code, reason) => this.#closed(code, reason),
      });
      this.#socket = socket;
      if (this.#phase === 'over') socket.close(NORMAL_CLOSURE);
    } catch (cause) {
      // The URL is a good one, so it is the token that cannot travel as a subprotocol, or there is no WebSocket.
      this.#finish({ return: 'new-token', reason: `no socket can be opened: ${String(cause)}` });
    }
  }

  #receive(data: unknown): void {
    if (this.#phase === 'over') return;
    this.#heartbeat.heard();
    if (typeof data !== 'string') {
      this.#reject();
      return;
    }
    this.events.frame(data);
    const frame = readServerFrame(data);
    if (frame.kind === 'malformed') this.#reject();
    else if (frame.kind === 'message') this.#handle(frame.message);
  }

  #handle(message: ServerMessage): void {
    // Whoever saw the frame may have closed the link.
    if (this.#over()) return;
    if (message.type === 'welcome') this.#welcome(message.heartbeat_ms, message.live);
    else if (!this.events.message(message)) this.#reject();
  }

  #welcome(heartbeatMs: number, live: boolean): void {
    this.#cancelDeadline();
    this.#phase = 'welcomed';
    this.#heartbeat.start(heartbeatMs);
    this.#stopRenewal();
    this.#stopRenewal = this.tokens.keepFresh(this.token, (token) =>
      this.send({ type: 'auth', token }),
    );
    this.events.welcome(live);
  }

  #closed(code: number, reason: string): void {
    if (this.#phase === 'opening') this.#finish(REFUSED);
    else this.#finish({ return: returnAfter(code), reason: reason || meaningOf(code), code });
  }

  #reject(): void {
    this.#finish(MALFORMED);
    this.#socket?.close(CLOSE.badFrame.code);
  }

  #abandon(reason: string): void {
    const { code } = CLOSE.silent;
    this.#finish({ return: 'soon', reason, code });
    this.#socket?.abandon(code);
  }

  #finish(ending: Ending | typeof REFUSED): void {
    if (this.#over()) return;
    this.#phase = 'over';
    this.#cancelDeadline();
    this.#heartbeat.stop();
    this.#stopRenewal();
    this.#end(ending);
  }

  #over(): boolean {
    return this.#phase === 'over';
  }
}

function meaningOf(code: number): string {
  const known: readonly CloseCode[] = Object.values(CLOSE);
  return known.find((close) => close.code === code)?.reason ?? `the connection was lost (${code})`;
}
