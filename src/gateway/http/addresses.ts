// Listens on every address of a host name, such as both loopback addresses of `localhost`. Further
// listeners hand their connections to the one HTTP server, so that limits, metrics and the drain
// count all of them together.

import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import type { Server as HttpServer } from 'node:http';
import { createServer, isIP, type Server } from 'node:net';

/** RFC 6761 §6.3: the name stands for both, also where the resolver knows only one. */
const LOCALHOST = ['127.0.0.1', '::1'];

/** The machine has no such address: a resolver may name more than there are. */
const NOT_HERE = ['EADDRNOTAVAIL', 'EAFNOSUPPORT'];

/** Resolves the addresses to listen on, the first of the resolver first. An address is its own. */
export async function resolveAddresses(host: string): Promise<readonly string[]> {
  if (isIP(host) !== 0) return [host];
  const found = (await lookup(host, { all: true })).map(({ address }) => address);
  const both = host.toLowerCase() === 'localhost' ? LOCALHOST : [];
  return [...new Set([...found, ...both])];
}

/** The listeners beside the HTTP server's own. */
export class FurtherListeners {
  readonly #servers: Server[] = [];

  constructor(private readonly server: HttpServer) {}

  /**
   * Listens on each address that this machine has, and returns those.
   * @throws Error if another program has the port
   */
  async listen(
    addresses: readonly string[],
    port: number,
    backlog: number,
  ): Promise<readonly string[]> {
    const listening: string[] = [];
    for (const host of addresses) {
      const listener = this.#createListener();
      try {
        listener.listen({ host, port, backlog });
        await once(listener, 'listening');
      } catch (error) {
        if (isNotHere(error)) continue;
        throw error;
      }
      listener.on('error', (error) => this.server.emit('error', error));
      this.#servers.push(listener);
      listening.push(host);
    }
    return listening;
  }

  /** Accepts no more connections; the HTTP server ends those that are open. */
  close(): void {
    for (const listener of this.#servers) listener.close();
  }

  /** Has the options that Node gives an HTTP server's own connections. */
  #createListener(): Server {
    return createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      Reflect.set(socket, 'server', this.server); // Its timeouts are events of the HTTP server.
      this.server.emit('connection', socket);
    });
  }
}

function isNotHere(error: unknown): boolean {
  return error instanceof Error && 'code' in error && NOT_HERE.includes(String(error.code));
}
