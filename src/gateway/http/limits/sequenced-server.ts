// The edge of the HTTP server: of each connection, one request at a time is dispatched. The others
// wait undispatched, so a connection that closes leaves one response, which Node closes with it.
// All connections share the event loop: a storm of requests is dispatched over many of its turns.

import {
  OutgoingMessage,
  Server,
  type IncomingMessage,
  type ServerOptions,
  type ServerResponse,
} from 'node:http';
import type { Socket } from 'node:net';
import { formatWithoutUpgrade, isWebSocketUpgrade } from '../request/upgrade.js';
import { LoopShare } from './loop-share.js';

/** How many requests of a connection may wait behind the one that is being answered. */
export const MAX_PIPELINED = 16;

/** The work that a connection still has. */
interface Turns {
  isBusy: boolean;
  /** The request that arrived last; only its body can be incomplete. */
  newest: { readonly request: IncomingMessage; readonly response: ServerResponse } | undefined;
  /** Starts the next request, upgrade or rejection; each only once the previous one is closed. */
  readonly waiting: (() => void)[];
  /** Nothing that arrives later is dispatched, because the connection is going to close. */
  isEnding: boolean;
}

/** Answers a request that is one too many, and closes the connection. Must not throw. */
export type RejectPipelined = (request: IncomingMessage, response: ServerResponse) => void;

/** An HTTP server whose listeners get the requests of a connection one after the other. */
export class SequencedServer extends Server {
  readonly #turns = new WeakMap<Socket, Turns>();
  readonly #loop = new LoopShare();
  /** Node's own listener, which parses HTTP on a connection. */
  readonly #parse: (socket: Socket) => void;

  constructor(
    options: ServerOptions,
    private readonly rejectPipelined: RejectPipelined,
  ) {
    super(options);
    this.#parse = this.listeners('connection')[0] as (socket: Socket) => void;
    // Without listeners, Node answers these events itself: with text that is no problem, or with
    // `100 Continue` before the token is checked.
    for (const event of ['checkContinue', 'checkExpectation', 'connect'])
      this.on(event, () => undefined);
  }

  /** Node emits every event of a connection here, so no listener sees a request before its turn. */
  override emit(event: string, ...args: unknown[]): boolean {
    switch (event) {
      case 'request':
      case 'checkContinue':
      case 'checkExpectation': {
        const [request, response] = args as [IncomingMessage, ServerResponse];
        if (event === 'checkContinue') continueWhenRead(request, response);
        this.#takeRequest(request, response);
        return true;
      }
      case 'upgrade': {
        const [request, socket, head] = args as [IncomingMessage, Socket, Buffer];
        this.#takeUpgrade(request, socket, head);
        return true;
      }
      case 'connect': {
        const error = new Error('this server is no proxy');
        return this.emit('clientError', error, args[1]);
      }
      case 'clientError': {
        const [error, socket] = args as [Error & { readonly code?: string }, Socket];
        return this.#takeError(error, socket);
      }
      default:
        return super.emit(event, ...args);
    }
  }

  #turnsOf(socket: Socket): Turns {
    const known = this.#turns.get(socket);
    if (known !== undefined) return known;
    const turns: Turns = { isBusy: false, newest: undefined, waiting: [], isEnding: false };
    this.#turns.set(socket, turns);
    return turns;
  }

  #takeRequest(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request;
    const turns = this.#turnsOf(socket);
    if (!turns.isEnding) turns.newest = { request, response };
    if (turns.isEnding) {
      socket.pause();
    } else if (!turns.isBusy) {
      this.#dispatch(turns, request, response);
    } else if (turns.waiting.length < MAX_PIPELINED) {
      turns.waiting.push(() => this.#dispatch(turns, request, response));
    } else {
      turns.isEnding = true;
      socket.pause();
      turns.waiting.push(() => this.rejectPipelined(request, response));
    }
  }

  #dispatch(turns: Turns, request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request;
    turns.isBusy = true;
    this.#loop.begin('request', () => {
      if (socket.destroyed) return;
      socket.setTimeout(this.timeout);
      super.emit('request', request, response);
      // Registered after all other listeners, because it begins the next turn.
      response.once('close', () => this.#startNext(turns, socket));
    });
  }

  #startNext(turns: Turns, socket: Socket): void {
    turns.isBusy = false;
    // A response that closes the connection is its last: Node gives later ones no socket, and they
    // would never be closed.
    if (!socket.writable) turns.waiting.length = 0;
    turns.waiting.shift()?.();
  }

  #takeUpgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    const turns = this.#turnsOf(socket);
    const start = (): void => {
      if (!isWebSocketUpgrade(request)) {
        this.#parseWithoutUpgrade(request, socket, head);
        return;
      }
      request.headers.upgrade = 'websocket'; // The accepted one, if it is a list.
      super.emit('upgrade', request, socket, head);
    };
    if (!turns.isBusy && this.#loop.hasRoom('upgrade')) this.#loop.begin('upgrade', start);
    else this.#hold(turns, socket, start);
  }

  /**
   * Starts the upgrade once the responses before it are sent, in a turn of the loop that has room.
   * Node has removed its own listeners from the socket, which such a response still needs.
   */
  #hold(turns: Turns, socket: Socket, start: () => void): void {
    const ignore = (): void => undefined;
    const resumeResponse = (): void => {
      const response: unknown = Reflect.get(socket, '_httpMessage');
      if (response instanceof OutgoingMessage) response.emit('drain');
    };
    socket.on('error', ignore).on('drain', resumeResponse);
    const begin = (): void =>
      this.#loop.begin('upgrade', () => {
        socket.off('error', ignore).off('drain', resumeResponse);
        if (!socket.destroyed) start();
      });
    if (turns.isBusy) turns.waiting.push(begin);
    else begin();
  }

  /** Parses the request again, as the first one of a connection that is known already. */
  #parseWithoutUpgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    // Node removes its other listeners before an upgrade, and adds all of them again below.
    for (const event of ['timeout', 'pause', 'resume']) socket.removeAllListeners(event);
    socket.unshift(Buffer.concat([formatWithoutUpgrade(request), head]));
    this.#parse.call(this, socket);
  }

  /**
   * A rejection of what cannot be parsed comes after the responses to what could be. A request
   * whose body is cut has no other response: its handler would wait for the rest forever.
   */
  #takeError(error: Error & { readonly code?: string }, socket: Socket): boolean {
    const turns = this.#turnsOf(socket);
    const isCut = turns.newest !== undefined && waitsForBody(turns.newest);
    if (!turns.isBusy || error.code === 'ECONNRESET' || (isCut && turns.waiting.length === 0))
      return super.emit('clientError', error, socket);
    if (isCut && !turns.isEnding) turns.waiting.pop();
    socket.pause();
    if (!turns.isEnding) turns.waiting.push(() => super.emit('clientError', error, socket));
    turns.isEnding = true;
    return true;
  }
}

function waitsForBody({ request, response }: NonNullable<Turns['newest']>): boolean {
  return !request.complete && !response.headersSent;
}

/** Sends `100 Continue` when the body is read, so that a rejected client does not send it. */
function continueWhenRead(request: IncomingMessage, response: ServerResponse): void {
  request.once('resume', () => {
    if (!response.headersSent) response.writeContinue();
  });
}
