// Adapts the WebSockets of ws to the interface `Socket` of sessions, and passes their events to the
// session.

import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { WebSocket } from '@fastify/websocket';
import type { Frame } from '../../hub/hub.js';
import { CLOSE, type CloseCode } from '../../../protocol/close-codes.js';
import { SUBPROTOCOL } from '../../../protocol/messages.js';
import type { Session } from '../../session/session.js';
import type { Socket } from '../../session/socket.js';
import type { SocketEndHandlers } from '../open-session.js';
import { createPingResponder } from './pong.js';
import { SendWindow } from './send-window.js';
import { encodeTextFrame } from './text-frame.js';

/** Messages of clients are small; the largest is a token renewal. */
const MAX_MESSAGE_BYTES = 16 * 1024;
/**
 * The limit of parts of a message, as frames or packets. 16 KiB are 31 packets of the smallest
 * usual size.
 */
const MAX_PARTS = 64;
/** How long a client may take for the close handshake before its socket is destroyed. */
const CLOSE_TIMEOUT_MS = 3_000;

/** The options of ws. */
export const WEBSOCKET_OPTIONS = {
  maxPayload: MAX_MESSAGE_BYTES,
  closeTimeout: CLOSE_TIMEOUT_MS,
  // Each part costs hundreds of bytes until its message is complete, and ws keeps 16,384 by
  // default.
  maxFragments: MAX_PARTS,
  maxBufferedChunks: MAX_PARTS,
  // `createPingResponder` sends Pongs, because automatic ones would accumulate without limit for a
  // client that pings and never reads.
  autoPong: false,
  perMessageDeflate: false,
  // The subprotocol with the token is never echoed.
  handleProtocols: (offered: Set<string>) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
};

/**
 * The socket of a session. Messages are written to the TCP socket directly (see text-frame.ts); ws
 * does everything else.
 */
export class WsSocket implements Socket {
  readonly #window = new SendWindow();

  constructor(
    private readonly ws: WebSocket,
    private readonly tcp: Duplex,
  ) {}

  get bufferedAmount(): number {
    return this.tcp.writableLength;
  }

  get unconfirmedBytes(): number {
    return this.#window.unconfirmedBytes;
  }

  send(frame: Frame): void {
    if (this.ws.readyState !== this.ws.OPEN) return;
    const encoded = encodeTextFrame(frame);
    this.tcp.write(encoded);
    if (this.#window.add(encoded.length)) this.ping();
  }

  ping(): void {
    if (this.ws.readyState === this.ws.OPEN) this.ws.ping(this.#window.startPing());
  }

  /** @returns whether a Pong with this payload answers a Ping of the gateway. */
  confirm(payload: string): boolean {
    return this.#window.confirm(payload);
  }

  close(close: CloseCode): void {
    this.ws.close(close.code, close.reason);
    // A client that sends too much is not read any longer, because reading costs more than closing.
    if (close === CLOSE.tooMany) this.ws.pause();
  }
}

const TOO_LARGE = 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH';
const TOO_MANY_PARTS = 'WS_ERR_TOO_MANY_BUFFERED_PARTS';

/**
 * The close codes that ws uses by itself, by its error code (`lib/receiver.js`). All its other
 * errors close with 1002.
 */
const CLOSED_BY_WS: Readonly<Record<string, number>> = {
  WS_ERR_INVALID_UTF8: 1007,
  [TOO_MANY_PARTS]: 1008,
  [TOO_LARGE]: 1009,
  WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH: 1009,
};
const PROTOCOL_ERROR = 1002;

/** Maps an error of ws to the close code that ws has used; undefined for a network error. */
function mapErrorToCloseCode(error: Error): number | undefined {
  if (!('code' in error) || !String(error.code).startsWith('WS_ERR_')) return undefined;
  return CLOSED_BY_WS[String(error.code)] ?? PROTOCOL_ERROR;
}

/** Whether ws closed a socket because a message was too large or had too many parts. */
export function isTooLarge(error: Error): boolean {
  return 'code' in error && (error.code === TOO_LARGE || error.code === TOO_MANY_PARTS);
}

/** Passes the events of an upgraded socket to its session. Call it before anything is awaited. */
export function attachSession(
  { ws, tcp, socket }: { readonly ws: WebSocket; readonly tcp: Duplex; readonly socket: WsSocket },
  session: Session,
  end: SocketEndHandlers,
): void {
  ws.on('message', (data: Buffer, isBinary: boolean) => {
    session.receive(isBinary ? undefined : data.toString(), performance.now());
  });
  const answerPing = createPingResponder(ws);
  ws.on('ping', (data: Buffer) => {
    session.recordActivity(performance.now());
    answerPing(data);
  });
  ws.on('pong', (data: Buffer) => {
    // An answer is the gateway's own doing, so only other Pongs count against the rate limit.
    if (socket.confirm(data.toString('latin1'))) session.handleConfirmation(performance.now());
    else session.recordActivity(performance.now());
  });
  // The listener of @fastify/websocket would keep the request, with its headers and token, as long
  // as the socket.
  ws.removeAllListeners('error').on('error', (error) => {
    const code = mapErrorToCloseCode(error);
    if (code !== undefined) session.handleProtocolError(code);
    end.onError(error);
  });
  ws.on('close', (code) => {
    session.handleDisconnect();
    end.onClose(code);
  });
  tcp.on('drain', () => session.handleDrain(performance.now()));
}

/**
 * Sends the response to an upgrade and the first messages in one packet. A listener of ws's
 * `headers` event, which comes right before the response.
 */
export function corkUpgrade(_lines: string[], { socket }: IncomingMessage): void {
  socket.cork();
  process.nextTick(() => socket.uncork());
}
