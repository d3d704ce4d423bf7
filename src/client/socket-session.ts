// A session is one WebSocket from its opening to its close, with keep-alive, deadline and renewal
// of the token. It ends exactly once, with an outcome that says why and whether to reconnect.

import { CLOSE, decideReturn, type CloseCode, type Return } from '../protocol/close-codes.js';
import type { ClientMessage, ServerMessage } from '../protocol/messages.js';
import { BEARER_SUBPROTOCOL_PREFIX, SUBPROTOCOL } from '../protocol/names.js';
import { KeepAlive } from './keep-alive.js';
import type { Runtime } from './runtime.js';
import { readServerFrame } from './server-message.js';
import type { ClientSocket } from './socket.js';
import type { TokenCache } from './token.js';

/** Why a connection, or an attempt to connect, ended. */
export interface CloseOutcome {
  readonly return: Return;
  /** For people. */
  readonly reason: string;
  /** A WebSocket close code or, below 1000, an HTTP status. */
  readonly code?: number;
  /** The runtime's error, if it gave one. */
  readonly cause?: unknown;
  /** The shortest pause before the next attempt. */
  readonly notBeforeMs?: number;
  /** The state cannot be continued: the next socket must ask for all of it. */
  readonly resync?: true;
}

/** The socket closed before it was open. A WebSocket does not say why. */
export const NOT_OPENED = 'not-opened';

export interface SocketSessionEvents {
  /** Every text frame, unchanged. */
  readonly frame: (text: string) => void;
  readonly welcome: (live: boolean) => void;
  /** Returns false if the message cannot follow the ones before it; the session then ends. */
  readonly message: (message: ServerMessage) => boolean;
}

const MALFORMED: CloseOutcome = {
  return: 'later',
  reason: 'the gateway sent something malformed',
  code: CLOSE.badFrame.code,
  resync: true,
};

/** From the first packet to `welcome`; also the limit for an HTTP answer. */
export const CONNECT_TIMEOUT_MS = 15_000;

const NORMAL_CLOSURE = 1000;

export class SocketSession {
  readonly ended: Promise<CloseOutcome | typeof NOT_OPENED>;
  #resolveEnded: (outcome: CloseOutcome | typeof NOT_OPENED) => void = () => undefined;
  #phase: 'opening' | 'open' | 'welcomed' | 'ended' = 'opening';
  #socket: ClientSocket | undefined;
  readonly #keepAlive: KeepAlive;
  #cancelDeadline: () => void;
  #stopRenewal = (): void => undefined;

  /** @param token is not sent if it is undefined. */
  constructor(
    url: string,
    private readonly token: string | undefined,
    private readonly tokens: TokenCache,
    private readonly runtime: Runtime,
    private readonly events: SocketSessionEvents,
  ) {
    this.ended = new Promise((resolve) => (this.#resolveEnded = resolve));
    this.#keepAlive = new KeepAlive(runtime, {
      ping: () => this.send({ type: 'ping' }),
      silent: () => this.#abandon('the gateway has gone silent'),
    });
    this.#cancelDeadline = runtime.after(CONNECT_TIMEOUT_MS, () =>
      this.#abandon('the gateway does not answer'),
    );
    void this.#open(url);
  }

  /** @returns false if the socket is not open, or the gateway has not sent `welcome` yet. */
  send(message: ClientMessage): boolean {
    if (this.#phase !== 'welcomed') return false;
    this.#socket?.send(JSON.stringify(message));
    return true;
  }

  /** Starts the close handshake. */
  close(): void {
    this.#end({ return: 'no', reason: 'closed', code: NORMAL_CLOSURE });
    this.#socket?.close(NORMAL_CLOSURE);
  }

  async #open(url: string): Promise<void> {
    const protocols = [SUBPROTOCOL];
    if (this.token !== undefined) protocols.push(BEARER_SUBPROTOCOL_PREFIX + this.token);
    try {
      const socket = await this.runtime.openSocket(url, protocols, {
        opened: () => {
          if (this.#phase === 'opening') this.#phase = 'open';
        },
        received: (data) => this.#receive(data),
        closed: (code, reason) => this.#handleClose(code, reason),
      });
      this.#socket = socket;
      if (this.#hasEnded()) socket.close(NORMAL_CLOSURE);
    } catch (cause) {
      // The URL was checked before. Either the token has characters that a subprotocol cannot
      // carry, or this runtime has no WebSocket.
      const reason = `no socket can be opened: ${String(cause)}`;
      this.#end({ return: 'new-token', reason, cause });
    }
  }

  #receive(data: unknown): void {
    if (this.#hasEnded()) return;
    this.#keepAlive.markActive();
    if (typeof data !== 'string') {
      this.#closeMalformed();
      return;
    }
    this.events.frame(data);
    const frame = readServerFrame(data);
    if (frame.kind === 'malformed') this.#closeMalformed();
    else if (frame.kind === 'message') this.#handle(frame.message);
  }

  #handle(message: ServerMessage): void {
    // A listener of the frame may have closed the session.
    if (this.#hasEnded()) return;
    if (message.type === 'welcome') this.#handleWelcome(message.heartbeat_ms, message.live);
    else if (!this.events.message(message)) this.#closeMalformed();
  }

  #handleWelcome(heartbeatMs: number, live: boolean): void {
    this.#cancelDeadline();
    this.#phase = 'welcomed';
    this.#keepAlive.start(heartbeatMs);
    this.#stopRenewal();
    if (this.token !== undefined) {
      const sendToken = (token: string): boolean => this.send({ type: 'auth', token });
      this.#stopRenewal = this.tokens.scheduleRenewal(this.token, sendToken);
    }
    this.events.welcome(live);
  }

  #handleClose(code: number, reason: string): void {
    if (this.#phase === 'opening') this.#end(NOT_OPENED);
    else this.#end({ return: decideReturn(code), reason: reason || describeCloseCode(code), code });
  }

  #closeMalformed(): void {
    this.#end(MALFORMED);
    this.#socket?.close(CLOSE.badFrame.code);
  }

  #abandon(reason: string): void {
    const { code } = CLOSE.silent;
    this.#end({ return: 'soon', reason, code });
    this.#socket?.abandon(code);
  }

  #end(outcome: CloseOutcome | typeof NOT_OPENED): void {
    if (this.#hasEnded()) return;
    this.#phase = 'ended';
    this.#cancelDeadline();
    this.#keepAlive.stop();
    this.#stopRenewal();
    this.#resolveEnded(outcome);
  }

  #hasEnded(): boolean {
    return this.#phase === 'ended';
  }
}

function describeCloseCode(code: number): string {
  const known: readonly CloseCode[] = Object.values(CLOSE);
  return known.find((close) => close.code === code)?.reason ?? `the connection was lost (${code})`;
}
