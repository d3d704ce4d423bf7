// Limits the TCP connections of the HTTP server, so that the process stays below its limit of open
// files. If the limit is reached, the connection that has had no request for longest is closed, so
// that idle connections cannot exclude active clients.

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { OnRejection } from '../../session/limits.js';

/** The TCP connections of a server. */
export class Connections {
  readonly #all = new Set<Socket>();
  /** Connections without a complete request, in the order of their idle time, the longest first. */
  readonly #waiting = new Set<Socket>();
  #ended = false;

  /** @param max the limit of simultaneous connections */
  constructor(
    server: Server,
    private readonly max: number,
    private readonly onRefusal: OnRejection,
  ) {
    // Higher by one than the limit, because Node would reject a connection without closing another
    // one.
    server.maxConnections = max + 1;
    server.on('connection', (socket) => this.#arrived(socket));
    server.on('request', (request, response) => this.#asked(request, response));
    server.on('upgrade', ({ socket }) => this.#waiting.delete(socket));
    // An accept failed because the process had no file left: close a connection, and continue.
    server.on('error', () => this.#giveUpOne());
  }

  /** Whether a request is running, or a socket is open or being opened. */
  get busy(): boolean {
    return this.#all.size > this.#waiting.size;
  }

  /** Closes all connections, and each later one. */
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
      // Removed immediately: its 'close' event may come after the next connection.
      this.#all.delete(socket);
      this.#waiting.delete(socket);
      socket.destroy();
      return;
    }
  }
}
