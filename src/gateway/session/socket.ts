// What a session needs of a WebSocket. The real one is adapted where upgrades are handled; tests bring their own.

import type { Frame } from '../hub/hub.js';
import type { CloseCode } from '../../protocol/close-codes.js';

export interface Socket {
  /** Bytes handed over but not yet taken by the kernel. */
  readonly bufferedAmount: number;
  /** Queues a text frame. On a socket that is closing it does nothing. */
  send(frame: Frame): void;
  ping(): void;
  /** Starts the closing handshake; the socket ends by itself if the peer does not answer. */
  close(close: CloseCode): void;
}

/**
 * How much a socket may hold unsent. Beyond it the session is behind: nothing more is queued until the peer has
 * read, and then it gets the latest state instead of what it missed.
 */
const MAX_UNSENT_BYTES = 256 * 1024;

export function isWritable(socket: Socket): boolean {
  return socket.bufferedAmount < MAX_UNSENT_BYTES;
}
