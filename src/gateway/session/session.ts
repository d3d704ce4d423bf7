// The lifecycle of one socket: its identity, heartbeat, requests and stream, until it is closed.
// Uses no WebSocket library, clock or database directly: the caller provides them.

import { can } from '../auth/roles.js';
import type { Identity, VerifyResult } from '../auth/token.js';
import { CLOSE, type CloseCode } from '../../protocol/close-codes.js';
import { errorFrame, PONG_FRAME, welcomeFrame } from '../../protocol/frames.js';
import type { ClientMessage } from '../../protocol/messages.js';
import { parseClientFrame } from '../../protocol/parse.js';
import { TokenBucket } from './token-bucket.js';
import type { OnRejection, RejectionReason } from './limits.js';
import type { RequestRejection, RequestHandlers } from './requests.js';
import { isWritable, type Socket } from './socket.js';
import type { Stream } from './stream.js';

/** The settings that all sessions of a gateway share. */
export interface SessionSettings {
  /** Identifies the process in the `welcome` message. */
  readonly gateway: string;
  /** Time between two Pings, in ms. */
  readonly heartbeatMs: number;
  /** A client that is silent for longer, in ms, is closed; by default two heartbeats. */
  readonly clientTimeoutMs?: number | undefined;
  readonly requests: RequestHandlers;
  readonly onRejection: OnRejection;
  /** Called when a request handler has thrown, which is a bug. */
  readonly onBug: (error: unknown, session: Session) => void;
}

/** A client with this many requests under way ignores the responses, and is closed. */
export const MAX_PENDING_REQUESTS = 16;

/** How many sessions this process has opened. */
let opened = 0;

export class Session {
  /** Identifies the session in logs and in the audit; unique within the process. */
  readonly id = String(++opened);
  #closedWith: Pick<CloseCode, 'code'> | undefined;
  #identity: Identity;
  #closed = false;
  #pendingRequests = 0;
  /** The agent's last request, until it is settled. */
  #lastRequest: Promise<unknown> | undefined;
  /** When the client last sent something. */
  #lastActivityMs: number;
  /** When the client had last received everything, or when nothing was pending for it. */
  #lastProgressMs: number;
  #nextPingMs: number;
  readonly #bucket: TokenBucket;

  /** @param nowMs by the same monotonic clock as all other times here. */
  constructor(
    readonly socket: Socket,
    readonly stream: Stream,
    private readonly settings: SessionSettings,
    identity: Identity,
    nowMs: number,
  ) {
    this.#identity = identity;
    this.#lastActivityMs = nowMs;
    this.#lastProgressMs = nowMs;
    this.#bucket = new TokenBucket(nowMs);
    // Random within the first interval, so that sockets opened together are not pinged together.
    this.#nextPingMs = nowMs + Math.random() * settings.heartbeatMs;
  }

  get identity(): Identity {
    return this.#identity;
  }

  /** Bytes that the client has not received yet; 0 once the session is closed. */
  get unsentBytes(): number {
    return this.#closed ? 0 : this.socket.bufferedAmount;
  }

  /** The code that the gateway closed the session with; undefined if the client closed it. */
  get closedWith(): Pick<CloseCode, 'code'> | undefined {
    return this.#closedWith;
  }

  /** Sends `welcome` and the current state. Called once, when the socket is open. */
  start(live: boolean): void {
    this.socket.send(welcomeFrame(this.settings.gateway, this.settings.heartbeatMs, live));
    if (!this.#closed) this.stream.start();
  }

  /** Handles a message of the client; `text` is undefined if it was binary. */
  receive(text: string | undefined, nowMs: number): void {
    this.recordActivity(nowMs, text?.length);
    if (this.#closed) return;
    if (text === undefined) {
      this.close(CLOSE.badFrame);
      return;
    }
    const frame = parseClientFrame(text);
    if (frame.kind === 'close') this.close(frame.close);
    else if (frame.kind === 'rejected') this.#reply(errorFrame(frame.code, frame.message));
    else this.#handle(frame.message);
  }

  /**
   * Records that the client sent a message, a Ping or a Pong. Closes the session if the client
   * exceeds its rate limit.
   * @param bytes the length of the message.
   */
  recordActivity(nowMs: number, bytes = 0): void {
    if (this.#closed) return;
    this.#lastActivityMs = nowMs;
    if (!this.#bucket.tryConsume(bytes, nowMs)) this.reject('too_many_messages', CLOSE.tooMany);
  }

  /** Records that the client has answered a Ping: it has received what was sent before. */
  handleConfirmation(nowMs: number): void {
    this.#lastActivityMs = nowMs;
    this.handleDrain(nowMs);
  }

  /** Sends what is pending. Called when the socket's buffer has emptied. */
  handleDrain(nowMs: number): void {
    this.#lastProgressMs = nowMs;
    if (!this.#closed) this.stream.sendPending();
  }

  /**
   * Checks heartbeat, progress and token expiry. Called about once a second for all sessions, so
   * that no session needs a timer.
   * @param nowMs by the monotonic clock.
   * @param epochMs by the wall clock, which tokens expire by.
   */
  sweep(nowMs: number, epochMs: number): void {
    if (this.socket.bufferedAmount === 0 && isWritable(this.socket)) this.handleDrain(nowMs);
    if (this.#closed) return;
    const { heartbeatMs, clientTimeoutMs: timeoutMs = 2 * heartbeatMs } = this.settings;
    if (!this.stream.lagging) this.#lastProgressMs = nowMs;
    if (epochMs >= this.#identity.expiresAtMs) this.close(CLOSE.tokenExpired);
    else if (nowMs - Math.min(this.#lastActivityMs, this.#lastProgressMs) > timeoutMs)
      this.close(CLOSE.silent);
    else if (nowMs >= this.#nextPingMs) this.#ping(nowMs);
  }

  /** Closes the session because the client exceeded a limit, and counts the rejection. */
  reject(reason: RejectionReason, close: CloseCode): void {
    if (!this.#closed) this.settings.onRejection(reason);
    this.close(close);
  }

  /** Closes the session; nothing more is sent. Later calls do nothing. */
  close(close: CloseCode): void {
    if (this.#closed) return;
    this.#closedWith = close;
    this.handleDisconnect();
    this.socket.close(close);
  }

  /**
   * Called when the WebSocket library has closed the socket because of a protocol error of the
   * client.
   */
  handleProtocolError(code: number): void {
    if (this.#closed) return;
    this.#closedWith = { code };
    this.handleDisconnect();
  }

  /** Called when the socket is closed, by either side. */
  handleDisconnect(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.stream.stop();
  }

  #ping(nowMs: number): void {
    this.#nextPingMs = nowMs + this.settings.heartbeatMs;
    this.socket.ping();
  }

  /**
   * Drops the reply if the socket is not writable: a client that does not read must not grow the
   * gateway's memory.
   */
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
        this.#runAsAgent('acknowledge', () =>
          requests.acknowledge(this.#identity, message.assignment_id, this.id),
        );
        return;
      case 'status':
        this.#runAsAgent('report-status', () =>
          requests.reportStatus(this.#identity, message, this.id),
        );
    }
  }

  #runAsAgent(
    action: 'acknowledge' | 'report-status',
    request: () => Promise<RequestRejection | undefined>,
  ): void {
    if (can(this.#identity, action, this.#identity.sub)) this.#run(() => this.#runInOrder(request));
    else this.#reply(errorFrame('not_allowed', `a ${this.#identity.role} may not send this`));
  }

  /**
   * Runs an agent's requests one after the other, so that an agent uses at most one connection of
   * the pool.
   */
  #runInOrder(
    request: () => Promise<RequestRejection | undefined>,
  ): Promise<RequestRejection | undefined> {
    const settled = this.#lastRequest?.then(request, request) ?? request();
    this.#lastRequest = settled;
    const forget = (): void => {
      if (this.#lastRequest === settled) this.#lastRequest = undefined;
    };
    void settled.then(forget, forget);
    return settled;
  }

  #run(request: () => Promise<RequestRejection | undefined>): void {
    if (this.#pendingRequests >= MAX_PENDING_REQUESTS) {
      this.reject('too_many_requests', CLOSE.tooMany);
      return;
    }
    this.#pendingRequests++;
    request()
      .then((rejection) => {
        if (rejection !== undefined) this.#reply(errorFrame(rejection.code, rejection.message));
      })
      .catch((error: unknown) => this.settings.onBug(error, this))
      .finally(() => this.#pendingRequests--);
  }

  /**
   * Renews the session's token; a token that is invalid or of another identity closes the session.
   */
  #renew(verified: VerifyResult): undefined {
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
