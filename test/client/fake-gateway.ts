// A gateway that a test scripts: it accepts or rejects upgrades, sends the given messages, and
// returns the received ones.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type WebSocket } from 'ws';
import type { Teardown } from '../helpers/database.js';
import { Queue } from './queue.js';

/** The answer to upgrades and HTTP requests while the gateway rejects them. */
export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Creates a problem, as the gateway itself answers. */
export function problem(status: number, code: string): Answer {
  const headers = { 'content-type': 'application/problem+json' };
  return { status, headers, body: JSON.stringify({ status, code, detail: `because ${code}` }) };
}

/** The gateway's end of a socket. */
export class Peer {
  readonly received = new Queue<unknown>();
  readonly closed: Promise<number>;

  constructor(
    readonly ws: WebSocket,
    /** The upgrade's path and query. */
    readonly target: string,
    readonly offered: string | undefined,
    readonly userAgent: string | undefined,
    readonly authorization?: string,
  ) {
    ws.on('message', (data: Buffer) => this.received.push(JSON.parse(data.toString())));
    this.closed = new Promise((resolve) => ws.on('close', resolve));
  }

  send(...messages: object[]): void {
    for (const message of messages) this.ws.send(JSON.stringify(message));
  }

  /** Sends `welcome`, with a heartbeat interval that no test reaches by accident. */
  welcome(fields: object = {}): void {
    this.send({
      type: 'welcome',
      protocol: 'lablink.v1',
      gateway: 'g1',
      heartbeat_ms: 25_000,
      live: true,
      ...fields,
    });
  }
}

export class FakeGateway {
  readonly peers = new Queue<Peer>();
  /** HTTP requests, without upgrades. */
  readonly requests = new Queue<{ target: string; authorization: string | undefined }>();
  /** The targets of all upgrade requests. */
  readonly upgrades = new Queue<string>();
  /** The gateway rejects everything while this is set. */
  refusal: Answer | 'hang' | undefined;
  readonly #server = createServer((request, response) => this.#answer(request, response));
  readonly #sockets = new WebSocketServer({
    noServer: true,
    handleProtocols: (offered) => (offered.has('lablink.v1') ? 'lablink.v1' : false),
  });

  readonly #connections = new Set<Duplex>();

  static async start(t: Teardown, port = 0): Promise<FakeGateway> {
    const gateway = new FakeGateway();
    gateway.#server.on('connection', (tcp) => gateway.#connections.add(tcp));
    gateway.#server.on('upgrade', (request, tcp: Duplex, head) =>
      gateway.#upgrade(request, tcp, head),
    );
    await new Promise<void>((resolve) =>
      gateway.#server.listen(port, '127.0.0.1', () => resolve()),
    );
    t.teardown(() => gateway.stop());
    return gateway;
  }

  get port(): number {
    const address: AddressInfo | string | null = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('not listening');
    return address.port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Waits for the next socket, and sends `welcome` on it. */
  async welcomed(fields: object = {}): Promise<Peer> {
    const peer = await this.peers.next();
    peer.welcome(fields);
    return peer;
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const tcp of this.#connections) tcp.destroy();
    await closed;
  }

  #upgrade(request: IncomingMessage, tcp: Duplex, head: Buffer): void {
    this.upgrades.push(request.url ?? '');
    if (this.refusal === 'hang') return;
    if (this.refusal !== undefined) {
      tcp.end(`HTTP/1.1 ${this.refusal.status} No\r\nConnection: close\r\n\r\n`);
      return;
    }
    this.#sockets.handleUpgrade(request, tcp, head, (ws) =>
      this.peers.push(
        new Peer(
          ws,
          request.url ?? '',
          request.headers['sec-websocket-protocol'],
          request.headers['user-agent'],
          request.headers.authorization,
        ),
      ),
    );
  }

  #answer({ url = '', headers }: IncomingMessage, response: ServerResponse): void {
    this.requests.push({ target: url, authorization: headers.authorization });
    if (this.refusal === 'hang') return;
    const { status, body = '', headers: fields = {} } = this.refusal ?? { status: 200 };
    response.writeHead(status, fields).end(body);
  }
}
