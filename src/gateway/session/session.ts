// One socket's life: its identity, its heartbeat, what it says and what it is told, until it is closed. Knows no
// WebSocket library, no clock and no database: each is handed in.

import { may } from '../auth/roles.js';
import type { Identity, Verified } from '../auth/token.js';
import { CLOSE, type CloseCode } from '../../protocol/close-codes.js';
import { errorFrame, PONG_FRAME, welcomeFrame } from '../../protocol/frames.js';
import type { ClientMessage } from '../../protocol/messages.js';
import { parseClientFrame } from '../../protocol/parse.js';
import { TokenBucket } from './token-bucket.js';
import type { OnRejection, RejectionReason } from './limits.js';
import type { RequestRejection, RequestHandlers } from './requests.js';
import { isWritable, type Socket } from './socket.js';
import type { Stream } from './stream.js';

/** What every session of a gateway shares. */
export interface SessionSettings {
  /** Names the process in `welcome`. */
  readonly gateway: string;
  readonly heartbeatMs: number;
  readonly requests: RequestHandlers;
  readonly onRejection: OnRejection;
  /** Told of what should never happen, and to whom it did. */
  readonly onBug: (error: unknown, session: Session) => void;
}

/** A client with so many unanswered requests does not wait for answers. */
export const MAX_PENDING_REQUESTS = 16;

let opened = 0;

export class Session {
  /** Names the session in logs; no two of this process have the same. */
  readonly id = String(++opened);
  #closedWith: Pick<CloseCode, 'code'> | undefined;
  #identity: Identity;
  #closed = false;
  #unanswered = 0;
  /** The agent's last request, until it is answered. */
  #last: Promise<unknown> | undefined;
  /** When the peer last showed that it lives. */
  #lastSignMs: number;
  /** When the peer last had read all it was sent, or was owed nothing more. */
  #lastProgressMs: number;
  #nextPingMs: number;
  readonly #budget: TokenBucket;

  constructor(
    readonly socket: Socket,
    readonly stream: Stream,
    private readonly settings: SessionSettings,
    identity: Identity,
    nowMs: number,
  ) {
    this.#identity = identity;
    this.#lastSignMs = nowMs;
    this.#lastProgressMs = nowMs;
    this.#budget = new TokenBucket(nowMs);
    // Somewhere within the first interval, so that sockets that came together are not pinged together.
    this.#nextPingMs = nowMs + Math.random() * settings.heartbeatMs;
  }

  get identity(): Identity {
    return this.#identity;
  }

  /** What waits to be read by the client; nothing once the session has ended. */
  get unsentBytes(): number {
    return this.#closed ? 0 : this.socket.bufferedAmount;
  }

  /** What the gateway closed the session with, if it was the one who did. */
  get closedWith(): Pick<CloseCode, 'code'> | undefined {
    return this.#closedWith;
  }

  /** Welcomes the client and tells it the current state. */
  start(live: boolean): void {
    this.socket.send(welcomeFrame(this.settings.gateway, this.settings.heartbeatMs, live));
    if (!this.#closed) this.stream.start();
  }

  /** A message of the client's; `text` is undefined when it was binary. */
  receive(text: string | undefined, nowMs: number): void {
    this.recordActivity(nowMs, text?.length);
    if (this.#closed) return;
    if (text === undefined) {
      this.close(CLOSE.badFrame);
      return;
    }
    const frame = parseClientFrame(text);
    if (frame.kind === 'close') this.close(frame.close);
    else if (frame.kind === 'refused') this.#reply(errorFrame(frame.code, frame.message));
    else this.#handle(frame.message);
  }

  /** A sign of life: a Ping or Pong of the client's, or a message of so many bytes. Too many of them end the session. */
  recordActivity(nowMs: number, bytes = 0): void {
    if (this.#closed) return;
    this.#lastSignMs = nowMs;
    if (!this.#budget.tryConsume(bytes, nowMs)) this.reject('too_many_messages', CLOSE.tooMany);
  }

  /** The socket's buffer has emptied. */
  handleDrain(nowMs: number): void {
    this.#lastProgressMs = nowMs;
    if (!this.#closed) this.stream.sendPending();
  }

  /**
   * Called every second or so: heartbeat, progress and expiry, without a timer of its own.
   * @param nowMs by a clock that never jumps, like every other time here.
   * @param epochMs by the clock on the wall, which is what tokens expire by.
   */
  sweep(nowMs: number, epochMs: number): void {
    if (this.socket.bufferedAmount === 0) this.handleDrain(nowMs);
    if (this.#closed) return;
    const patienceMs = 2 * this.settings.heartbeatMs;
    if (!this.stream.lagging) this.#lastProgressMs = nowMs;
    if (epochMs >= this.#identity.expiresAtMs) this.close(CLOSE.tokenExpired);
    else if (nowMs - Math.min(this.#lastSignMs, this.#lastProgressMs) > patienceMs)
      this.close(CLOSE.silent);
    else if (nowMs >= this.#nextPingMs) this.#ping(nowMs);
  }

  /** Ends the session because it is too much, and has that counted. */
  reject(reason: RejectionReason, close: CloseCode): void {
    if (!this.#closed) this.settings.onRejection(reason);
    this.close(close);
  }

  /** Ends the session: nothing more is told. */
  close(close: CloseCode): void {
    if (this.#closed) return;
    this.#closedWith = close;
    this.handleDisconnect();
    this.socket.close(close);
  }

  /** The client broke the rules of WebSocket itself, and the socket has been closed with this code for it. */
  handleProtocolError(code: number): void {
    if (this.#closed) return;
    this.#closedWith = { code };
    this.handleDisconnect();
  }

  /** The socket is gone, whoever closed it. */
  handleDisconnect(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.stream.stop();
  }

  #ping(nowMs: number): void {
    this.#nextPingMs = nowMs + this.settings.heartbeatMs;
    this.socket.ping();
  }

  /** An answer that finds no room is dropped: a client that does not read cannot make the gateway keep things. */
  #reply(frame: string): void {
    if (!this.#closed && isWritable(this.socket)) this.socket.send(frame);
  }

  #handle(message: ClientMessage): void {
    const { requests } = this.settings;
    switch (message.type) {
      case 'ping':
        this.#reply(PONG_FRAME);
        return;
      case 'auth':
        this.#renew(requests.verify(message.token));
        return;
      case 'ack':
        this.#askAsAgent('acknowledge', () =>
          requests.acknowledge(this.#identity, message.assignment_id, this.id),
        );
        return;
      case 'status':
        this.#askAsAgent('report-status', () =>
          requests.reportStatus(this.#identity, message, this.id),
        );
    }
  }

  #askAsAgent(
    action: 'acknowledge' | 'report-status',
    request: () => Promise<RequestRejection | undefined>,
  ): void {
    if (may(this.#identity, action, this.#identity.sub)) this.#ask(() => this.#inTurn(request));
    else this.#reply(errorFrame('not_allowed', `a ${this.#identity.role} may not send this`));
  }

  /** One after the other, in the order they came: an agent occupies one connection to the database at most. */
  #inTurn(
    request: () => Promise<RequestRejection | undefined>,
  ): Promise<RequestRejection | undefined> {
    const answered = this.#last?.then(request, request) ?? request();
    this.#last = answered;
    const forget = (): void => {
      if (this.#last === answered) this.#last = undefined;
    };
    void answered.then(forget, forget);
    return answered;
  }

  #ask(request: () => Promise<RequestRejection | undefined>): void {
    if (this.#unanswered >= MAX_PENDING_REQUESTS) {
      this.reject('too_many_requests', CLOSE.tooMany);
      return;
    }
    this.#unanswered++;
    request()
      .then((refusal) => {
        if (refusal !== undefined) this.#reply(errorFrame(refusal.code, refusal.message));
      })
      .catch((error: unknown) => this.settings.onBug(error, this))
      .finally(() => this.#unanswered--);
  }

  /** Takes a fresh token of the same identity; any other ends the session. */
  #renew(verified: Verified): undefined {
    if (!verified.ok) {
      this.close(CLOSE.tokenExpired);
      return;
    }
    const { identity } = verified;
    if (identity.sub === this.#identity.sub && identity.role === this.#identity.role) {
      this.#identity = identity;
    } else {
      this.close(CLOSE.notAllowed);
    }
  }
}
