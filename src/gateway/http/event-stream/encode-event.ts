// Encodes messages as Server-Sent Events (WHATWG HTML, "Server-sent events"). The data of an event
// is the text of the message, so a stream carries the same protocol as a WebSocket.

import type { CloseCode, Return } from '../../../protocol/close-codes.js';
import type { Frame } from '../../hub/hub.js';

/** A comment. It keeps the connection open, and clients ignore it. */
export const KEEP_ALIVE = ': keep-alive\n\n';

/**
 * The shortest pause before a client reconnects, and how much longer it may be, in ms. The pause of
 * each stream is random, so that clients do not return together.
 */
const PAUSES: Readonly<Record<Return, { readonly baseMs: number; readonly spreadMs: number }>> = {
  soon: { baseMs: 1_000, spreadMs: 4_000 },
  'new-token': { baseMs: 1_000, spreadMs: 4_000 },
  later: { baseMs: 15_000, spreadMs: 15_000 },
  // A client that ignores the code of the close returns rarely at least.
  no: { baseMs: 60_000, spreadMs: 60_000 },
};

/** Messages that are sent to several streams, encoded once. */
const shared = new WeakMap<Uint8Array, Buffer>();

/**
 * Encodes a message as one event.
 * @param message text, or the UTF-8 of a text that is sent to several streams, always with the same
 * cursor
 * @param cursor the event's id: see `Socket.send`
 */
export function encodeEvent(message: Frame, cursor: string | undefined): Buffer {
  if (typeof message === 'string') return encode(message, cursor);
  const made = shared.get(message) ?? encode(Buffer.from(message).toString(), cursor);
  shared.set(message, made);
  return made;
}

/** A line break, which a row has only between the parts of a column of the type `json`. */
const LINE_BREAK = /\r\n|\r|\n/g;

function encode(message: string, cursor: string | undefined): Buffer {
  const id = cursor === undefined ? '' : `id: ${cursor}\n`;
  return Buffer.from(`${id}data: ${message.replace(LINE_BREAK, '\ndata: ')}\n\n`);
}

/**
 * Encodes the pause after which a client reconnects by itself.
 * @param random from 0 up to, not including, 1
 */
export function encodeRetry(policy: Return, random: number): string {
  const { baseMs, spreadMs } = PAUSES[policy];
  return `retry: ${Math.floor(baseMs + random * spreadMs)}\n`;
}

/** Encodes the last event of a stream, which has the meaning of a WebSocket's close frame. */
export function encodeClose({ code, reason, ...close }: CloseCode, random: number): string {
  const data = JSON.stringify({ code, reason });
  return `event: close\n${encodeRetry(close.return, random)}data: ${data}\n\n`;
}
