// WebSockets as sessions see them: ws adapted to the small interface a session knows, and its events handed on.

import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { WebSocket } from '@fastify/websocket';
import type { Frame } from '../../hub/hub.js';
import { CLOSE, type CloseCode } from '../../../protocol/close-codes.js';
import { SUBPROTOCOL } from '../../../protocol/messages.js';
import type { Session } from '../../session/session.js';
import type { Socket } from '../../session/socket.js';
import { encodeTextFrame } from './text-frame.js';

/** Client messages are small; a token renewal is the largest. */
const MAX_MESSAGE_BYTES = 16 * 1024;
/** In how many parts a message may come, as frames or as packets: 16 KiB are 31 packets of the smallest usual size. */
const MAX_PARTS = 64;
/** How long a peer has to answer a close before its socket is destroyed. */
const CLOSE_TIMEOUT_MS = 3_000;

/** What ws is told, once. */
export const WEBSOCKET_OPTIONS = {
  maxPayload: MAX_MESSAGE_BYTES,
  closeTimeout: CLOSE_TIMEOUT_MS,
  // A part costs hundreds of bytes until its message is whole, however small it is: by default ws keeps 16,384.
  maxFragments: MAX_PARTS,
  maxBufferedChunks: MAX_PARTS,
  // Answered by hand: the automatic Pongs of a client that pings and never reads would pile up without end.
  autoPong: false,
  perMessageDeflate: false,
  // The bearer offer is never echoed.
  handleProtocols: (offered: Set<string>) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
};

/** ws reads, and does everything but the sending of messages: see text-frame.ts. */
export class WsSocket implements Socket {
  constructor(
    private readonly ws: WebSocket,
    private readonly tcp: Duplex,
  ) {}

  get bufferedAmount(): number {
    return this.tcp.writableLength;
  }

  send(frame: Frame): void {
    if (this.ws.readyState === this.ws.OPEN) this.tcp.write(encodeTextFrame(frame));
  }

  ping(): void {
    if (this.ws.readyState === this.ws.OPEN) this.ws.ping();
  }

  close(close: CloseCode): void {
    this.ws.close(close.code, close.reason);
    // Whoever says too much is not listened to any longer: to read it cost more than to answer it.
    if (close === CLOSE.tooMany) this.ws.pause();
  }
}

const TOO_LARGE = 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH';
const TOO_MANY_PARTS = 'WS_ERR_TOO_MANY_BUFFERED_PARTS';

/** What ws closes with by itself, by the code of its error (`lib/receiver.js`); any other of its own is 1002. */
const CLOSED_BY_WS: Readonly<Record<string, number>> = {
  WS_ERR_INVALID_UTF8: 1007,
  [TOO_MANY_PARTS]: 1008,
  [TOO_LARGE]: 1009,
  WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH: 1009,
};
const PROTOCOL_ERROR = 1002;

/** What ws has closed a socket with because of this error; undefined when it was an error of the network. */
function mapErrorToCloseCode(error: Error): number | undefined {
  if (!('code' in error) || !String(error.code).startsWith('WS_ERR_')) return undefined;
  return CLOSED_BY_WS[String(error.code)] ?? PROTOCOL_ERROR;
}

/** Whether ws closed a socket because of a message that was too large, or in too many parts. */
export function isTooLarge(error: Error): boolean {
  return 'code' in error && (error.code === TOO_LARGE || error.code === TOO_MANY_PARTS);
}

/** Who is told how a socket ends, beside its session. */
export interface SocketEndHandlers {
  /** An error of the network's or of the client's making; the end follows. */
  readonly onError: (error: Error) => void;
  /** Called once. @param code what the socket ended with. */
  readonly onClose: (code: number) => void;
}

/** Hands the events of an upgraded socket to its session. To be called before anything is awaited. */
export function attachSession(
  ws: WebSocket,
  tcp: Duplex,
  session: Session,
  end: SocketEndHandlers,
): void {
  ws.on('message', (data: Buffer, isBinary: boolean) => {
    session.receive(isBinary ? undefined : data.toString(), performance.now());
  });
  ws.on('ping', (data: Buffer) => {
    session.recordActivity(performance.now());
    if (tcp.writableLength === 0) ws.pong(data);
  });
  ws.on('pong', () => session.recordActivity(performance.now()));
  // The listener of @fastify/websocket would keep the request, with its headers and token, as long as the socket.
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
 * Has the answer to an upgrade, and what its socket is told at once, leave together: a listener of ws's `headers` event,
 * which comes right before the answer.
 */
export function corkUpgrade(_lines: string[], { socket }: IncomingMessage): void {
  socket.cork();
  process.nextTick(() => socket.uncork());
}
