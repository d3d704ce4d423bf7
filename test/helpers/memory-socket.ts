// A socket for tests: it keeps what it was sent. Its reader can stall, so that bytes pile up
// unsent, and read on.

import { Compile } from 'typebox/compile';
import type { Frame } from '../../src/gateway/hub/hub.js';
import type { CloseCode } from '../../src/protocol/close-codes.js';
import { ServerMessage } from '../../src/protocol/messages.js';
import type { Socket } from '../../src/gateway/session/socket.js';

/** The share of unsent bytes that a socket has. */
export const MAX_UNSENT_BYTES = 256 * 1024;

const serverMessage = Compile(ServerMessage);

function parse(text: string): ServerMessage {
  const value: unknown = JSON.parse(text);
  if (!serverMessage.Check(value)) throw new Error(`not a message of the protocol: ${text}`);
  return value;
}

export class MemorySocket implements Socket {
  /** Every frame, as the object that was handed over. */
  readonly frames: Frame[] = [];
  readonly closes: CloseCode[] = [];
  pings = 0;
  /** Grows by each frame while the reader is stalled; may be set. */
  bufferedAmount = 0;
  unconfirmedBytes = 0;
  /** The most that was unsent when another frame came. */
  mostUnsentAtSend = 0;
  /** Frames and Pings that came after a close. */
  afterClose = 0;
  /** Called when a frame was taken: a socket may fail under its sender. */
  onSend: (() => void) | undefined;
  #stalled = false;

  send(frame: Frame): void {
    if (this.closes.length > 0) this.afterClose++;
    this.frames.push(frame);
    this.mostUnsentAtSend = Math.max(this.mostUnsentAtSend, this.bufferedAmount);
    if (this.#stalled) this.bufferedAmount += Buffer.byteLength(frame);
    this.onSend?.();
  }

  ping(): void {
    if (this.closes.length > 0) this.afterClose++;
    this.pings++;
  }

  close(close: CloseCode): void {
    this.closes.push(close);
  }

  /** From now on nothing is read. */
  stall(): void {
    this.#stalled = true;
  }

  /** Stalled, with no room for anything more. */
  fill(): void {
    this.stall();
    this.bufferedAmount = MAX_UNSENT_BYTES;
  }

  /** As `fill`, once it has taken so many more frames. */
  fillAfter(frames: number): void {
    this.onSend = () => {
      if (--frames > 0) return;
      this.onSend = undefined;
      this.fill();
    };
  }

  /** The reader takes so many bytes, and stays stalled. */
  read(bytes: number): void {
    this.bufferedAmount = Math.max(0, this.bufferedAmount - bytes);
  }

  /** The reader takes everything and reads on. The test then notifies the session. */
  drain(): void {
    this.#stalled = false;
    this.bufferedAmount = 0;
    this.onSend = undefined;
  }

  /** The texts since the last call. */
  take(): string[] {
    return this.frames
      .splice(0)
      .map((frame) => (typeof frame === 'string' ? frame : Buffer.from(frame).toString()));
  }

  /** The messages since the last call; every frame must be one that the protocol knows. */
  messages(): ServerMessage[] {
    return this.take().map(parse);
  }
}
