// A client of Server-Sent Events that knows nothing of the gateway: it parses as the standard says
// (WHATWG HTML, "Interpreting an event stream") and keeps every message.

import { request as requestPlain, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as requestTls } from 'node:https';
import type { Message } from './raw-client.js';
import { until } from './until.js';

/** The data of the event `close`. */
export interface StreamClose {
  readonly code: number;
  readonly reason: string;
}

export class EventStreamClient {
  /** The data of every event of the type `message` so far. */
  readonly messages: Message[] = [];
  close: StreamClose | undefined;
  comments = 0;
  /** The client's next `Last-Event-ID`. */
  lastEventId = '';
  /** The pause before a reconnect, in ms. */
  retryMs: number | undefined;
  /** Resolves when the connection has ended. */
  readonly ended: Promise<void>;
  #read = 0;
  #rest = '';
  #event = '';
  #data: string[] = [];

  constructor(readonly response: IncomingMessage) {
    response.setEncoding('utf8').on('data', (text: string) => this.#take(text));
    response.on('error', () => undefined);
    this.ended = new Promise((resolve) => response.once('close', resolve));
  }

  /** The next message of the type; those before it are passed over. */
  nextMessage(type: string): Promise<Message> {
    return until(`a message ${type}`, () => {
      while (this.#read < this.messages.length) {
        const message = this.messages[this.#read++];
        if (message?.type === type) return message;
      }
      return undefined;
    });
  }

  async leave(): Promise<void> {
    this.response.destroy();
    await this.ended;
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#takeLine(line);
  }

  #takeLine(line: string): void {
    if (line === '') {
      this.#dispatch();
      return;
    }
    if (line.startsWith(':')) {
      this.comments++;
      return;
    }
    const [, field = line, value = ''] = /^([^:]*): ?(.*)$/.exec(line) ?? [];
    if (field === 'data') this.#data.push(value);
    else if (field === 'event') this.#event = value;
    else if (field === 'id') this.lastEventId = value;
    else if (field === 'retry') this.retryMs = Number(value);
    else throw new Error(`an unknown field: ${line}`);
  }

  #dispatch(): void {
    const [event, data] = [this.#event, this.#data.join('\n')];
    this.#event = '';
    this.#data = [];
    if (data === '') return;
    if (event === 'close') this.close = JSON.parse(data) as StreamClose;
    else this.messages.push(JSON.parse(data) as Message);
  }
}

/** Requests an event stream; throws with the status and the body if it is refused. */
export async function openEventStream(
  url: string,
  headers: Readonly<Record<string, string>>,
  options: RequestOptions & { readonly ca?: string } = {},
): Promise<EventStreamClient> {
  const request = url.startsWith('https') ? requestTls : requestPlain;
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request(url, {
      agent: false,
      ...options,
      headers: { accept: 'text/event-stream', ...headers },
    })
      .on('response', resolve)
      .on('error', reject)
      .end();
  });
  if (response.statusCode === 200) return new EventStreamClient(response);
  const body = Buffer.concat((await response.toArray()) as Buffer[]).toString();
  throw new Error(`${response.statusCode ?? 0} ${body}`);
}
