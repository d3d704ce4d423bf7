// The way between a gateway and PostgreSQL as a test spoils it: a TCP proxy on loopback that
// delays, throttles, cuts, resets, refuses, or says nothing any more. What went into a silence is
// lost: such a connection never comes back to life, only new ones are well again.

import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { Transform } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import type { Teardown } from '../helpers/database.js';

/** The delay and the rate of every connection, from the next bytes on. */
interface Weather {
  delayMs: number;
  bytesPerSecond: number;
}

/** Starts a proxy to the server of `target`, whose `host` may be the folder of a Unix socket. */
export async function startProxy(t: Teardown, target: pg.ClientConfig): Promise<Proxy> {
  const server = createServer({ allowHalfOpen: true, noDelay: true });
  const proxy = new Proxy(server, target);
  t.teardown(() => proxy.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return proxy;
}

export class Proxy {
  readonly #links = new Set<Link>();
  readonly #weather: Weather = { delayMs: 0, bytesPerSecond: Infinity };
  readonly #port: () => number;
  #silent = false;
  #lastPort = 0;

  constructor(
    private readonly server: Server,
    private target: pg.ClientConfig,
  ) {
    this.#port = () => (server.address() as AddressInfo | null)?.port ?? this.#lastPort;
    server.on('connection', (socket) => this.#accept(socket));
  }

  /** The same database, reached through here. */
  through(config: pg.ClientConfig): pg.ClientConfig {
    return { ...config, host: '127.0.0.1', port: this.#port() };
  }

  /** How many connections clients hold open, silent ones too. */
  get open(): number {
    return this.#links.size;
  }

  /** Every chunk takes this much longer; it adds up, as a slow link's does. */
  delay(delayMs: number): void {
    this.#weather.delayMs = delayMs;
  }

  /** In each direction of each connection. */
  throttle(bytesPerSecond: number): void {
    this.#weather.bytesPerSecond = bytesPerSecond;
  }

  /** The connections there are end, in the middle of whatever they carry. */
  cut(): void {
    for (const link of this.#links) link.cut();
  }

  /** The same with a reset instead of a goodbye. */
  reset(): void {
    for (const link of this.#links) link.reset();
  }

  /**
   * Open connections carry nothing any more, and neither end is notified: half-open. New ones work.
   */
  hang(): void {
    for (const link of this.#links) link.hang();
  }

  /** A black hole: connections there are hang, and new ones are accepted and hang too. */
  swallow(): void {
    this.hang();
    this.#silent = true;
  }

  /** Stops listening, and ends every connection. */
  async refuse(): Promise<void> {
    this.#lastPort = this.#port();
    const closed = once(this.server, 'close');
    this.server.close();
    this.cut();
    await closed;
  }

  /** New connections are well again. */
  async heal(): Promise<void> {
    this.#silent = false;
    this.#weather.delayMs = 0;
    this.#weather.bytesPerSecond = Infinity;
    if (this.server.listening) return;
    this.server.listen(this.#lastPort, '127.0.0.1');
    await once(this.server, 'listening');
  }

  /** From now on new connections lead to another server, as an address does after a failover. */
  retarget(target: pg.ClientConfig): void {
    this.target = target;
  }

  close(): void {
    this.server.close();
    this.cut();
  }

  #accept(client: Socket): void {
    const link = new Link(client, open(this.target), this.#weather);
    this.#links.add(link);
    client.once('close', () => this.#links.delete(link));
    if (this.#silent) link.hang();
  }
}

/** A connection: a client's socket and the server's that stands for it. */
class Link {
  #hung = false;

  constructor(
    private readonly client: Socket,
    server: Socket,
    private readonly weather: Weather,
  ) {
    client.pipe(this.#spoil()).pipe(server);
    server.pipe(this.#spoil()).pipe(client);
    client.on('error', () => undefined);
    client.on('close', () => server.destroy());
    // A server is not kept from noticing that its client has left.
    client.on('end', () => this.#hung && this.cut());
    server.on('error', () => this.#hung || client.destroy());
  }

  hang(): void {
    this.#hung = true;
    // Its client has left, and does not wait for the server's end of the connection.
    if (this.client.readableEnded) this.cut();
  }

  cut(): void {
    this.client.destroy();
  }

  reset(): void {
    // A socket that is closing cannot be reset any more: its handle would stay, and the process
    // would not end.
    if (this.client.writableEnded) this.client.destroy();
    else this.client.resetAndDestroy();
  }

  #spoil(): Transform {
    return new Transform({
      transform: (chunk: Buffer, _encoding, done) => {
        const forMs = this.weather.delayMs + (1_000 * chunk.length) / this.weather.bytesPerSecond;
        const pass = (): void => done(null, this.#hung ? undefined : chunk);
        if (forMs === 0) pass();
        else void sleep(forMs).then(pass);
      },
      flush: (done) => {
        if (!this.#hung) done();
      },
    });
  }
}

function open({ host = 'localhost', port = 5432 }: pg.ClientConfig): Socket {
  return host.startsWith('/')
    ? connect({ path: `${host}/.s.PGSQL.${port}`, allowHalfOpen: true })
    : connect({ host, port, allowHalfOpen: true, noDelay: true });
}
