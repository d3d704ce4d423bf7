// A simulated client: an agent that watches its row, or a dashboard that watches all rows. It
// reconnects like the client library, and measures how long it waits for the state. It is not the
// client library itself, whose validation of every message costs more CPU than the gateway.

import { WebSocket } from 'ws';
import { reconnectDelayMs } from '../client/reconnect-policy.js';
import { decideReturn } from '../protocol/close-codes.js';
import { nowUs } from './clock.js';
import type { Replica } from './replica.js';
import type { Endpoint } from './endpoint.js';
import type { RowUpdates } from './messages.js';

/** The parts that the clients of one process share. */
export interface SimulatedClientContext {
  readonly endpoint: Endpoint;
  readonly read: (data: Buffer) => RowUpdates;
  /** Waits for a slot to begin a handshake; resolves with a function that releases it. */
  readonly slot: () => Promise<() => void>;
  /** The client has the state, this long after it was due to connect, or lost its socket. */
  readonly connected: (tookUs: number, again: boolean) => void;
  /** The gateway or the network closed the socket. */
  readonly lost: (code: number) => void;
  /** The gateway rejected the upgrade with this HTTP status. */
  readonly rejected: (status: number) => void;
}

export interface ClientIdentity {
  readonly path: string;
  readonly token: string;
  readonly localAddress: string | undefined;
}

/** A status after which another attempt would fail in the same way. */
const FINAL_STATUSES: readonly number[] = [400, 401, 403, 404];

export class SimulatedClient {
  #ws: WebSocket | undefined;
  #cursor: string | undefined;
  #hasState = false;
  #everConnected = false;
  #closed = false;
  #stalled = false;
  #droppedByTest = false;
  #failures = 0;
  /** Since when the client has been without the state. */
  #sinceUs = 0;

  constructor(
    private readonly context: SimulatedClientContext,
    private readonly identity: ClientIdentity,
    private readonly replica: Replica,
  ) {}

  /** Whether the client has received the state on its socket. */
  get hasState(): boolean {
    return this.#hasState;
  }

  /**
   * Connects, and resumes from the last cursor.
   * @param dueUs when the client was due to connect.
   */
  connect(dueUs: number): void {
    this.#closed = false;
    this.#sinceUs = dueUs;
    void this.#open();
  }

  /** Stops reading. */
  stall(): void {
    this.#stalled = true;
    this.#ws?.pause();
  }

  resume(): void {
    this.#stalled = false;
    this.#ws?.resume();
  }

  /** Drops the connection, and reconnects at once. */
  drop(): void {
    this.#droppedByTest = true;
    this.#ws?.terminate();
  }

  /** Drops the connection, and stays disconnected. */
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
      if (!endpoint.sendsState) this.#markConnected();
    });
    ws.on('message', (data: Buffer) => this.#receive(data));
    ws.on('unexpected-response', (_request, { statusCode = 0 }) => {
      this.context.rejected(statusCode);
      if (FINAL_STATUSES.includes(statusCode)) this.#closed = true;
      ws.terminate(); // A listener of this event must end the request.
    });
    ws.on('error', () => undefined); // The `close` event follows.
    ws.once('open', release).once('close', release);
    ws.on('close', (code) => {
      if (this.#ws === ws) this.#handleClose(code);
    });
  }

  #receive(data: Buffer): void {
    const receivedUs = nowUs();
    const { changes, complete, isState, cursor } = this.context.read(data);
    // The first message on a socket is the state, and may repeat known rows.
    const mayRepeat = isState || !this.#hasState;
    for (const change of changes) this.replica.apply(change, receivedUs, mayRepeat);
    if (cursor !== undefined) this.#cursor = cursor;
    if (complete && !this.#hasState) this.#markConnected();
  }

  #markConnected(): void {
    this.#hasState = true;
    this.context.connected(nowUs() - this.#sinceUs, this.#everConnected);
    this.#everConnected = true;
    this.#failures = 0;
  }

  #handleClose(code: number): void {
    this.#ws = undefined;
    if (this.#closed) return;
    if (this.#hasState) this.#sinceUs = nowUs();
    if (this.#hasState && !this.#droppedByTest) this.context.lost(code);
    this.#hasState = false;
    const wait = this.#droppedByTest ? 0 : this.#chooseDelayMs(code);
    this.#droppedByTest = false;
    if (wait !== undefined) setTimeout(() => void this.#open(), wait);
  }

  /** Returns undefined if the client must not reconnect. */
  #chooseDelayMs(code: number): number | undefined {
    const policy = decideReturn(code);
    return policy === 'no' ? undefined : reconnectDelayMs(policy, this.#failures++, Math.random());
  }
}
