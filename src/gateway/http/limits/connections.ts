// The TCP connections of the HTTP server, kept under the number of files the process may open. When there is no room,
// the one that has been without a request for longest goes: whoever connects and asks for nothing holds no place
// against those who do.

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { OnRejection } from '../../session/limits.js';

export class Connections {
  readonly #all = new Set<Socket>();
  /** Those with no request under way, half a request at most; the one that waits longest first. */
  readonly #waiting = new Set<Socket>();
  #ended = false;

  /** @param max how many there may be at any moment. */
  constructor(
    server: Server,
    private readonly max: number,
    private readonly onRefusal: OnRejection,
  ) {
    // One more than there ever are: Node would refuse without giving anybody up for it.
    server.maxConnections = max + 1;
    server.on('connection', (socket) => this.#arrived(socket));
    server.on('request', (request, response) => this.#asked(request, response));
    server.on('upgrade', ({ socket }) => this.#waiting.delete(socket));
    // An accept that failed, because something else of the process took the last file: make room, and go on.
    server.on('error', () => this.#giveUpOne());
  }

  /** Whether a request is under way, or a socket open or being opened. */
  get busy(): boolean {
    return this.#all.size > this.#waiting.size;
  }

  /** Ends all there are, and each that is still to come. */
  end(): void {
    this.#ended = true;
    for (const socket of this.#all) socket.destroy();
  }

  #arrived(socket: Socket): void {
    if (this.#ended) {
      socket.destroy();
      return;
    }
    this.#all.add(socket);
    this.#waiting.add(socket);
    socket.once('close', () => {
      this.#all.delete(socket);
      this.#waiting.delete(socket);
    });
    if (this.#all.size > this.max) this.#giveUpOne();
  }

  #asked({ socket }: IncomingMessage, response: ServerResponse): void {
    this.#waiting.delete(socket);
    response.once('close', () => {
      if (!socket.destroyed) this.#waiting.add(socket);
    });
  }

  #giveUpOne(): void {
    for (const socket of this.#waiting) {
      this.onRefusal('too_many_connections');
      // At once: its 'close' comes later, and by then the next may have arrived.
      this.#all.delete(socket);
      this.#waiting.delete(socket);
      socket.destroy();
      return;
    }
  }
}
