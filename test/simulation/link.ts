// The modelled network between a gateway and its database: one link for each connection. A link
// keeps the order of its messages; messages of different links overtake each other. A fault of the
// network concerns all links of a gateway, or those of LISTEN or of the queries alone.

import { Process, type VirtualTime } from './virtual-time.js';

export type LinkKind = 'listen' | 'queries';

/** How the network fails. `stall`: everything arrives later. `drop`: nothing arrives ever. */
export type NetworkFault = 'stall' | 'drop';

/** A gateway's place in the network. */
export class Endpoint {
  readonly faults = new Map<LinkKind, NetworkFault>();
  readonly links = new Set<Link>();
  readonly process = new Process();
  /** All messages take longer by this factor. */
  slowness = 1;

  constructor(
    readonly name: string,
    readonly time: VirtualTime,
  ) {}

  /** Ends a fault. What it stalled arrives now, in order. */
  heal(kind: LinkKind): void {
    this.faults.delete(kind);
    for (const link of [...this.links]) if (link.kind === kind) link.release();
  }

  /** The network, or a machine between, resets the connections. */
  cut(kind: LinkKind): void {
    for (const link of [...this.links]) if (link.kind === kind) link.cut();
  }
}

interface Direction {
  lastMs: number;
  readonly stalled: (() => void)[];
}

export class Link {
  #toServer: Direction = { lastMs: 0, stalled: [] };
  #toClient: Direction = { lastMs: 0, stalled: [] };
  #isDead = false;
  #isClosed = false;
  /** The server at the other end, once connected. */
  server: object | undefined;
  /** Called when the connection breaks, on each side at its own time. */
  onClientBroken = (): void => undefined;
  onServerBroken = (): void => undefined;
  /** This link's share of the network's latency. */
  readonly #latencyMs: number;

  constructor(
    readonly endpoint: Endpoint,
    readonly kind: LinkKind,
  ) {
    endpoint.links.add(this);
    const { random } = endpoint.time;
    this.#latencyMs = random.once(8) ? 20 * random.next() : random.next();
  }

  /** Whether nothing is under way on this link, and nothing was lost. */
  get isQuiet(): boolean {
    return this.#toClient.stalled.length === 0 && this.#toClient.lastMs <= this.endpoint.time.nowMs;
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  toServer(run: () => void): void {
    this.#send(this.#toServer, run);
  }

  toClient(run: () => void): void {
    this.#send(this.#toClient, run);
  }

  /** Both sides notice that the connection is gone. */
  cut(): void {
    if (this.#isClosed) return;
    this.close();
    const { time, process } = this.endpoint;
    time.after(0, () => this.onClientBroken(), process);
    time.outside(0, () => this.onServerBroken());
  }

  /** The client closed its socket: the server notices, unless the network fails. */
  closeByClient(): void {
    if (this.#isClosed) return;
    this.toServer(() => this.onServerBroken());
    this.close();
  }

  closeByServer(): void {
    if (this.#isClosed) return;
    this.toClient(() => this.onClientBroken());
    this.close();
  }

  close(): void {
    this.#isClosed = true;
    this.endpoint.links.delete(this);
  }

  release(): void {
    if (this.#isDead) {
      // The next packet is answered with a reset.
      this.close();
      this.onServerBroken();
      return;
    }
    for (const direction of [this.#toServer, this.#toClient]) {
      for (const run of direction.stalled.splice(0)) this.#schedule(direction, run);
    }
  }

  #send(direction: Direction, run: () => void): void {
    const { endpoint, kind } = this;
    if (this.#isDead) return;
    const fault = endpoint.faults.get(kind);
    if (fault === 'drop') this.#isDead = true;
    else if (fault === 'stall') direction.stalled.push(run);
    else this.#schedule(direction, run);
  }

  #schedule(direction: Direction, run: () => void): void {
    const { time, slowness } = this.endpoint;
    const { random } = time;
    const latencyMs =
      (0.1 + this.#latencyMs * random.next() + (random.once(50) ? 30 * random.next() : 0)) *
      slowness;
    direction.lastMs = Math.max(direction.lastMs, time.nowMs + latencyMs);
    if (direction === this.#toClient)
      time.after(direction.lastMs - time.nowMs, run, this.endpoint.process);
    else time.outside(direction.lastMs - time.nowMs, run);
  }
}
