// WebSocket frames as bytes (RFC 6455 §5.2), for frames that no library sends: reserved bits,
// wrong lengths, no mask.

import { openRaw } from './raw-http.js';
import { until } from './until.js';

export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface FrameOptions {
  readonly opcode: number;
  readonly payload?: string | Buffer;
  readonly fin?: boolean;
  /** The three reserved bits, as a number from 0 to 7. */
  readonly reserved?: number;
  readonly masked?: boolean;
  /** The bytes of the extended length; by default as few as possible. */
  readonly lengthBytes?: 0 | 2 | 8;
}

/** Encodes a frame of a client. */
export function encodeFrame(options: FrameOptions): Buffer {
  const { opcode, payload = '', fin = true, reserved = 0, masked = true } = options;
  const content = Buffer.from(payload);
  const fewest = content.length < 126 ? 0 : content.length < 65_536 ? 2 : 8;
  const { lengthBytes = fewest } = options;
  const length = Buffer.alloc(lengthBytes);
  if (lengthBytes > 0)
    length.writeUIntBE(content.length, Math.max(0, lengthBytes - 6), Math.min(6, lengthBytes));
  const short = { 0: content.length, 2: 126, 8: 127 }[lengthBytes];
  const head = Buffer.from([
    (fin ? 0x80 : 0) | (reserved << 4) | opcode,
    (masked ? 0x80 : 0) | short,
  ]);
  if (!masked) return Buffer.concat([head, length, content]);
  const mask = Buffer.from([1, 2, 3, 4]);
  const hidden = content.map((byte, n) => byte ^ (mask[n % 4] ?? 0));
  return Buffer.concat([head, length, mask, hidden]);
}

/** Encodes a Close frame with a code and a reason. */
export function encodeClose(code: number, reason: string | Buffer = ''): Buffer {
  const payload = Buffer.alloc(2);
  payload.writeUInt16BE(code);
  return encodeFrame({
    opcode: OPCODE.close,
    payload: Buffer.concat([payload, Buffer.from(reason)]),
  });
}

export interface ReceivedFrame {
  readonly opcode: number;
  readonly payload: Buffer;
}

/** A WebSocket whose bytes are all written by the test. */
export class RawSocket {
  readonly #raw: ReturnType<typeof openRaw>;
  readonly #ended: Promise<unknown>;

  /** @param url the origin of the gateway */
  constructor(url: string, request: string) {
    this.#raw = openRaw(url);
    const { socket } = this.#raw;
    this.#ended = new Promise((resolve) => socket.once('end', resolve).once('close', resolve));
    socket.write(request);
  }

  /** Resolves with the head of the response. */
  async readHead(): Promise<string> {
    await until('the handshake is answered', () => this.#raw.received().includes('\r\n\r\n'));
    return this.#raw.received().split('\r\n\r\n')[0] ?? '';
  }

  /** Resolves with the body of a refusal, once its connection has ended. */
  async readBody(): Promise<string> {
    await this.#ended;
    return this.#raw.received().split('\r\n\r\n').slice(1).join('\r\n\r\n');
  }

  write(...frames: readonly Buffer[]): void {
    this.#raw.socket.write(Buffer.concat(frames));
  }

  /** The frames so far. A server never masks its frames. */
  listFrames(): ReceivedFrame[] {
    const all = Buffer.from(this.#raw.received(), 'latin1');
    const frames: ReceivedFrame[] = [];
    for (let at = all.indexOf('\r\n\r\n') + 4; at + 2 <= all.length;) {
      const short = (all[at + 1] ?? 0) & 0x7f;
      const start = at + (short === 126 ? 4 : short === 127 ? 10 : 2);
      if (start > all.length) break;
      const length =
        short === 126
          ? all.readUInt16BE(at + 2)
          : short === 127
            ? Number(all.readBigUInt64BE(at + 2))
            : short;
      if (start + length > all.length) break;
      frames.push({ opcode: (all[at] ?? 0) & 0x0f, payload: all.subarray(start, start + length) });
      at = start + length;
    }
    return frames;
  }

  /** Resolves with the code of the server's Close once it has ended the connection. */
  async readCloseCode(): Promise<number | undefined> {
    await this.#ended;
    this.end();
    const close = this.listFrames().find(({ opcode }) => opcode === OPCODE.close);
    return close === undefined || close.payload.length < 2
      ? undefined
      : close.payload.readUInt16BE(0);
  }

  end(): void {
    this.#raw.socket.destroy();
  }
}
