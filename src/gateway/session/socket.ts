// The part of a transport that a session uses. http/websocket/ and http/event-stream/ adapt the
// real ones; tests provide their own.

import type { Frame } from '../hub/hub.js';
import type { CloseCode } from '../../protocol/close-codes.js';

export interface Socket {
  /** Bytes that were sent but that the kernel has not accepted yet. */
  readonly bufferedAmount: number;
  /** Bytes that the peer has not confirmed; 0 if the transport has no confirmations. */
  readonly unconfirmedBytes: number;
  /**
   * Queues a message. Does nothing on a socket that is closing.
   * @param cursor the position from which a client that has received the message resumes; '' if a
   * client cannot resume after it; undefined if the message changes nothing about that. Only an
   * event stream sends it beside the message, which has the position too.
   */
  send(frame: Frame, cursor?: string): void;
  /** Sends a Ping. Does nothing on a socket that is closing. */
  ping(): void;
  /** Begins the close handshake; the socket ends by itself if the peer does not answer. */
  close(close: CloseCode): void;
}

/**
 * How many bytes of a socket may be unsent, or unconfirmed, so that it is still writable. Beyond it
 * the session lags: nothing more is queued until the peer has read, and then the session sends the
 * latest state.
 */
const MAX_UNSENT_BYTES = 256 * 1024;

/** Whether another frame may be queued on the socket. */
export function isWritable(socket: Socket): boolean {
  return Math.max(socket.bufferedAmount, socket.unconfirmedBytes) < MAX_UNSENT_BYTES;
}
