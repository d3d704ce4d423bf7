// One simulated client: an agent that watches its own row, or a dashboard that watches all. It comes back whenever its
// socket is closed, as the client library does, and says how long it took to be told the state. It is not the client
// library itself, whose checks of every message cost more than the gateway does.

import { WebSocket } from 'ws';
import { reconnectDelayMs } from '../client/reconnect-policy.js';
import { decideReturn } from '../protocol/close-codes.js';
import { nowUs } from './clock.js';
import type { Copy } from './replica.js';
import type { Endpoint } from './endpoint.js';
import type { Told } from './messages.js';

/** What clients of a process share. */
export interface ClientContext {
  readonly endpoint: Endpoint;
  readonly read: (data: Buffer) => Told;
  /** Waits for its turn to begin a handshake. */
  readonly slot: () => Promise<() => void>;
  /** Has the state again, so long after it was meant to begin to connect, or lost its socket. */
  readonly connected: (tookUs: number, again: boolean) => void;
  /** Its socket was closed by the other side. */
  readonly lost: (code: number) => void;
  /** The gateway would not have it: an HTTP status. */
  readonly refused: (status: number) => void;
}

export interface Identity {
  readonly path: string;
  readonly token: string;
  readonly localAddress: string | undefined;
}

/** Refused for good: another try would be answered alike. */
const FOR_GOOD: readonly number[] = [400, 401, 403, 404];

export class SimulatedClient {
  #ws: WebSocket | undefined;
  #cursor: string | undefined;
  #hasState = false;
  #everConnected = false;
  #closed = false;
  #stalled = false;
  #droppedByUs = false;
  #failures = 0;
  /** When it began to be without the state. */
  #sinceUs = 0;

  constructor(
    private readonly context: ClientContext,
    private readonly identity: Identity,
    private readonly copy: Copy,
  ) {}

  /** Whether it has a socket over which the state was told. */
  get hasState(): boolean {
    return this.#hasState;
  }

  /** Goes on from where it left, if it did. @param dueUs when it was meant to. */
  connect(dueUs: number): void {
    this.#closed = false;
    this.#sinceUs = dueUs;
    void this.#open();
  }

  /** Reads nothing from now on. */
  stall(): void {
    this.#stalled = true;
    this.#ws?.pause();
  }

  resume(): void {
    this.#stalled = false;
    this.#ws?.resume();
  }

  /** Cuts the connection, and comes back at once. */
  drop(): void {
    this.#droppedByUs = true;
    this.#ws?.terminate();
  }

  /** Cuts the connection, and stays away. */
  leave(): void {
    const ws = this.#ws;
    this.#closed = true;
    this.#hasState = false;
    this.#ws = undefined;
    ws?.terminate();
  }

  async #open(): Promise<void> {
    const release = await this.context.slot();
    if (this.#closed) {
      release();
      return;
    }
    const { endpoint } = this.context;
    const { path, token, localAddress } = this.identity;
    const query = this.#cursor === undefined ? '' : `?cursor=${this.#cursor}`;
    const ws = new WebSocket(endpoint.url + path + query, {
      headers: { authorization: `Bearer ${token}` },
      perMessageDeflate: false,
      skipUTF8Validation: true,
      ...(localAddress === undefined ? {} : { localAddress }),
    });
    this.#ws = ws;
    ws.on('open', () => {
      if (this.#stalled) ws.pause();
      if (!endpoint.tellsState) this.#told();
    });
    ws.on('message', (data: Buffer) => this.#receive(data));
    ws.on('unexpected-response', (_request, { statusCode = 0 }) => {
      this.context.refused(statusCode);
      if (FOR_GOOD.includes(statusCode)) this.#closed = true;
      ws.terminate(); // Whoever listens to this event has to.
    });
    ws.on('error', () => undefined); // Says nothing that `close` does not say.
    ws.once('open', release).once('close', release);
    ws.on('close', (code) => {
      if (this.#ws === ws) this.#ended(code);
    });
  }

  #receive(data: Buffer): void {
    const receivedUs = nowUs();
    const { changes, complete, isState, cursor } = this.context.read(data);
    // What a socket tells first is the state, and may repeat what was known.
    const mayRepeat = isState || !this.#hasState;
    for (const change of changes) this.copy.take(change, receivedUs, mayRepeat);
    if (cursor !== undefined) this.#cursor = cursor;
    if (complete && !this.#hasState) this.#told();
  }

  #told(): void {
    this.#hasState = true;
    this.context.connected(nowUs() - this.#sinceUs, this.#everConnected);
    this.#everConnected = true;
    this.#failures = 0;
  }

  #ended(code: number): void {
    this.#ws = undefined;
    if (this.#closed) return;
    if (this.#hasState) this.#sinceUs = nowUs();
    if (this.#hasState && !this.#droppedByUs) this.context.lost(code);
    this.#hasState = false;
    const wait = this.#droppedByUs ? 0 : this.#pauseMs(code);
    this.#droppedByUs = false;
    if (wait !== undefined) setTimeout(() => void this.#open(), wait);
  }

  /** Undefined where the gateway said not to come back. */
  #pauseMs(code: number): number | undefined {
    const how = decideReturn(code);
    return how === 'no' ? undefined : reconnectDelayMs(how, this.#failures++, Math.random());
  }
}
