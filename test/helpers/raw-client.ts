// A WebSocket client that knows nothing of the gateway: it keeps every message, and tests wait for
// those they expect.

import { once } from 'node:events';
import { WebSocket, type ClientOptions } from 'ws';

export type Message = { type: string } & Record<string, unknown>;

export interface Closed {
  readonly code: number;
  readonly reason: string;
}

export class RawClient {
  /** Every message so far. */
  readonly messages: Message[] = [];
  readonly closed: Promise<Closed>;
  #read = 0;
  #changed: () => void = () => undefined;

  constructor(readonly ws: WebSocket) {
    ws.on('message', (data: Buffer) => {
      this.messages.push(JSON.parse(data.toString()) as Message);
      this.#changed();
    });
    ws.on('error', () => undefined);
    this.closed = new Promise((resolve) => {
      ws.on('close', (code, reason) => {
        resolve({ code, reason: reason.toString() });
        this.#changed();
      });
    });
  }

  /**
   * The first message not yet taken that satisfies the predicate; those before it are passed over.
   */
  async next(matches: (message: Message) => boolean = () => true): Promise<Message> {
    for (;;) {
      while (this.#read < this.messages.length) {
        const message = this.messages[this.#read++];
        if (message !== undefined && matches(message)) return message;
      }
      if (this.ws.readyState === this.ws.CLOSED) {
        const { code, reason } = await this.closed;
        throw new Error(`the socket closed with ${code} ${reason} before the message came`);
      }
      await new Promise<void>((resolve) => (this.#changed = resolve));
    }
  }

  nextMessage(type: string): Promise<Message> {
    return this.next((message) => message.type === type);
  }

  send(message: unknown): void {
    this.ws.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  async close(): Promise<void> {
    this.ws.close();
    await this.closed;
  }
}

/** Connects; rejects with `Unexpected server response: <status>` when the upgrade is refused. */
export async function connect(
  url: string,
  protocols: readonly string[] = [],
  options: ClientOptions = {},
): Promise<RawClient> {
  const ws = new WebSocket(url, [...protocols], options);
  const client = new RawClient(ws);
  await once(ws, 'open');
  return client;
}
