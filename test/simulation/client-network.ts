// The modelled network between clients and gateways: WebSockets that are slow, stop, break, or lose
// everything without a word. Each socket keeps the order of its messages.

import type { Runtime } from '../../src/client/runtime.js';
import type { ClientSocket, SocketEvents } from '../../src/client/socket.js';
import type { Identity } from '../../src/gateway/auth/token.js';
import type { Session } from '../../src/gateway/session/session.js';
import type { Socket } from '../../src/gateway/session/socket.js';
import type { SimulatedGateway } from './gateway.js';
import type { Process, VirtualTime } from './virtual-time.js';

/** How many bytes a socket holds whose peer does not read. */
const FULL_BYTES = 256 * 1024;
/** How long a gateway waits for the close handshake. */
const CLOSE_TIMEOUT_MS = 3_000;

/** A WebSocket, from both sides. */
export class SocketPair {
  /** The client does not read: what is sent waits. */
  isStalled = false;
  /** Nothing arrives, on either side, and no side notices. */
  isLost = false;
  #session: Session | undefined;
  readonly #waiting: (() => void)[] = [];
  #isClosing = false;
  #hasGatewayEnded = false;
  #hasClientEnded = false;
  #toClientMs = 0;
  #toGatewayMs = 0;

  constructor(
    readonly gateway: SimulatedGateway,
    private readonly network: ClientNetwork,
    readonly process: Process,
    private readonly events: SocketEvents,
  ) {}

  /** The gateway's side. */
  readonly ofGateway: Socket = (() => {
    const readBuffered = (): number => (this.#waiting.length > 0 ? FULL_BYTES : 0);
    return {
      unconfirmedBytes: 0,
      get bufferedAmount() {
        return readBuffered();
      },
      send: (frame) => {
        if (this.#isClosing) return;
        const text = typeof frame === 'string' ? frame : Buffer.from(frame).toString();
        this.#toClient(() => this.events.received(text));
      },
      ping: () => {
        this.#toClient(() =>
          this.#toGateway(() => this.#session?.recordActivity(performance.now())),
        );
      },
      close: ({ code, reason }) => {
        if (this.#isClosing) return;
        this.#isClosing = true;
        this.#toClient(() => {
          this.#endClient(code, reason);
          this.#toGateway(() => this.#endGateway());
        });
        this.#time.after(CLOSE_TIMEOUT_MS, () => this.#endGateway());
      },
    };
  })();

  /** The client's side. */
  readonly ofClient: ClientSocket = {
    send: (text) => this.#toGateway(() => this.#session?.receive(text, performance.now())),
    close: (code) => {
      this.#toGateway(() => this.#endGateway());
      this.#time.after(1, () => this.#endClient(code, ''));
    },
    abandon: (code) => {
      this.#toGateway(() => this.#endGateway());
      this.#time.after(1, () => this.#endClient(code, ''));
    },
  };

  get #time(): VirtualTime {
    return this.network.time;
  }

  open(identity: Identity, path: string): void {
    this.#toClient(() => this.events.opened());
    const session = this.gateway.openSession(this.ofGateway, identity, path);
    this.#session = session;
    session.start(this.gateway.realtime.hub.live);
  }

  /** The connection is reset: both sides notice. */
  cut(): void {
    const { process } = this.gateway.endpoint;
    this.#time.after(0, () => this.#endGateway(), process);
    this.#time.after(0, () => this.#endClient(1006, ''), this.process);
  }

  /** The client reads again. */
  release(): void {
    this.isStalled = false;
    if (this.#session?.stream.lagging === true) this.gateway.countLagging();
    for (const deliver of this.#waiting.splice(0)) this.#schedule(deliver);
    this.#time.after(
      0,
      () => this.#session?.handleDrain(performance.now()),
      this.gateway.endpoint.process,
    );
  }

  #toClient(deliver: () => void): void {
    if (this.isLost) return;
    if (this.isStalled) this.#waiting.push(deliver);
    else this.#schedule(deliver);
  }

  #schedule(deliver: () => void): void {
    const time = this.#time;
    this.#toClientMs = Math.max(this.#toClientMs, time.nowMs + this.network.chooseLatencyMs());
    const run = (): void => {
      if (!this.#hasClientEnded && !this.isLost) deliver();
    };
    time.after(this.#toClientMs - time.nowMs, run, this.process);
  }

  #toGateway(deliver: () => void): void {
    if (this.isLost) return;
    const time = this.#time;
    this.#toGatewayMs = Math.max(this.#toGatewayMs, time.nowMs + this.network.chooseLatencyMs());
    const run = (): void => {
      if (!this.#hasGatewayEnded && !this.isLost) deliver();
    };
    time.after(this.#toGatewayMs - time.nowMs, run, this.gateway.endpoint.process);
  }

  #endGateway(): void {
    if (this.#hasGatewayEnded) return;
    this.#hasGatewayEnded = true;
    this.#isClosing = true;
    const session = this.#session;
    if (session === undefined) return;
    session.handleDisconnect();
    this.gateway.realtime.sessions.remove(session);
    this.#forget();
  }

  #endClient(code: number, reason: string): void {
    if (this.#hasClientEnded) return;
    this.#hasClientEnded = true;
    this.#forget();
    this.events.closed(code, reason);
  }

  #forget(): void {
    if (this.#hasClientEnded && this.#hasGatewayEnded) this.network.pairs.delete(this);
  }
}

export class ClientNetwork {
  readonly pairs = new Set<SocketPair>();
  /** No client reaches a gateway. */
  isDown = false;

  constructor(
    readonly time: VirtualTime,
    private readonly gateways: () => readonly SimulatedGateway[],
  ) {}

  chooseLatencyMs(): number {
    const { random } = this.time;
    return random.once(40) ? 200 * random.next() : 0.2 + 2 * random.next();
  }

  /** The platform of a client. @param received called with each frame that reaches the client */
  createRuntime(
    process: Process,
    identity: Identity,
    received: (text: string) => void,
    opening: () => void,
  ): Runtime {
    const { time } = this;
    return {
      openSocket: async (url, _protocols, events) => {
        await Promise.resolve();
        opening();
        const { pathname, search } = new URL(url);
        return this.#open(process, identity, pathname + search, {
          ...events,
          received: (data) => {
            received(String(data));
            events.received(data);
          },
        });
      },
      fetch: () => Promise.reject(new TypeError('fetch failed')),
      now: () => Date.now(),
      random: time.random.next,
      after: (delayMs, run) => {
        const timer = time.after(delayMs, run);
        return () => {
          timer.cancelled = true;
        };
      },
    };
  }

  #open(process: Process, identity: Identity, path: string, events: SocketEvents): ClientSocket {
    const { time } = this;
    const candidates = this.gateways().filter(({ endpoint }) => !endpoint.process.isStopped);
    const gateway = candidates.length === 0 ? undefined : time.random.pick(candidates);
    if (gateway === undefined || this.isDown) {
      time.after(this.chooseLatencyMs(), () => events.closed(1006, ''), process);
      return { send: () => undefined, close: () => undefined, abandon: () => undefined };
    }
    const pair = new SocketPair(gateway, this, process, events);
    const open = (): void => {
      // As the upgrade does, before the table was read.
      if (gateway.realtime.feed.loaded) {
        this.pairs.add(pair);
        pair.open(identity, path);
      } else time.after(this.chooseLatencyMs(), () => events.closed(1006, ''), process);
    };
    time.after(this.chooseLatencyMs(), open, gateway.endpoint.process);
    return pair.ofClient;
  }
}
