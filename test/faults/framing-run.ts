// Runs hostile HTTP/1.1 against a gateway in a process of its own: while it lasts, the bytes that
// clients do not read are bounded, and in the end the process holds what it held at the start.

import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  MAX_UNREAD_BYTES,
  MAX_UNREAD_BYTES_OF_IDENTITY,
} from '../../src/gateway/http/limits/unread-responses.js';
import { startDatabase, type Teardown } from '../helpers/database.js';
import { startGatewayProcess, type GatewayProcess } from '../helpers/gateway-process.js';
import { until } from '../helpers/until.js';
import { FramingAttacks, SMUGGLED_ID, type Attack } from './framing-attacks.js';
import { INSPECTED, Inspector, type Holdings } from './inspected-process.js';
import { Mutations } from './mutations.js';

/** The connections that attack at the same time, and those that are held open without reading. */
const ATTACKERS = 12;
const HELD = 60;
/** The connections that ask for lists all the time, and never read. */
const UNREAD = 40;
const VMS = 1_000;
/** Long enough that a page of VMs does not fit into the buffers of the system. */
const COMMAND_BYTES = 4_000;
/** How long an attacker reads before it leaves, at most. */
const READ_MS = 60;
const BETWEEN_LOOKS_MS = 250;

/** Two identities attack, each with a page above its limit, and files without an identity. */
const MAX_UNREAD = Math.min(
  MAX_UNREAD_BYTES + VMS * COMMAND_BYTES,
  2 * (MAX_UNREAD_BYTES_OF_IDENTITY + VMS * COMMAND_BYTES) + 2 ** 24,
);
/** The growth that code compiled meanwhile may cause. */
const SPARE_BYTES = 8 * 2 ** 20;

export interface FramingResult {
  readonly attacks: number;
  readonly before: Holdings;
  readonly after: Holdings;
  /** The most bytes that were unread at the same time. */
  readonly unreadBytes: number;
  /** The faults; empty if there were none. */
  readonly faults: readonly string[];
}

/**
 * Attacks a new gateway.
 * @param isOver asked before each attack with the number of attacks so far
 */
export async function attackFraming(
  t: Teardown,
  seed: number,
  isOver: (attacks: number) => boolean,
): Promise<FramingResult> {
  const gateway = await startGateway(t);
  const inspector = await Inspector.open(gateway);
  t.teardown(() => inspector.close());
  const attackers = new Attackers(gateway.url, await makeAttacks(gateway, seed));
  // Compiles the code, opens the pool's connections, and fills the caches.
  await attackers.run((attacks) => attacks >= 20 * ATTACKERS);
  attackers.leave();
  const before = await settle(gateway, inspector);

  let unreadBytes = 0;
  let isRunning = true;
  const look = async (): Promise<void> => {
    while (isRunning) {
      attackers.askWithoutReading();
      unreadBytes = Math.max(unreadBytes, await inspector.readUnreadBytes());
      await sleep(BETWEEN_LOOKS_MS);
    }
  };
  const looking = look();
  const attacks = await attackers.run(isOver);
  isRunning = false;
  await looking;
  attackers.leave();
  const isReady = (await fetch(`${gateway.url}/health/ready`)).ok;
  const after = await settle(gateway, inspector, before);

  const faults = [...attackers.faults];
  if (!isReady) faults.push('the gateway is not ready');
  if (unreadBytes > MAX_UNREAD) faults.push(`${unreadBytes} bytes were unread`);
  if (isMore(after, before)) faults.push('the process holds more than at the start');
  if (/"level":[56]0/.test(gateway.program.stderr)) faults.push('the log has an error');
  return { attacks, before, after, unreadBytes, faults };
}

async function startGateway(t: Teardown): Promise<GatewayProcess> {
  const database = await startDatabase(t);
  await database.query(
    `INSERT INTO vms (hostname, status, email, crd_command)
     SELECT 'vm-' || n, 'in-use', n || '@example.com', repeat('x', $2)
     FROM generate_series(1, $1::int) n`,
    [VMS, COMMAND_BYTES],
  );
  const env = { ...INSPECTED, REQUESTS_PER_MINUTE: '1000000000', LOG_LEVEL: 'info' };
  return startGatewayProcess(t, database, { env });
}

async function makeAttacks(gateway: GatewayProcess, seed: number): Promise<FramingAttacks> {
  const [admin, dashboard] = await Promise.all([
    gateway.token('admin', 'attacker'),
    gateway.token('dashboard', 'attacker'),
  ]);
  return new FramingAttacks(new Mutations(seed), { admin, dashboard });
}

/** Waits until the connections of clients are closed, and the heap is what it was before. */
async function settle(
  { url }: GatewayProcess,
  inspector: Inspector,
  before?: Holdings,
): Promise<Holdings> {
  let last = await inspector.readHoldings();
  const attempt = async (): Promise<boolean> => {
    await (await fetch(`${url}/health/live`)).text();
    const next = await inspector.readHoldings();
    const isSteady =
      before === undefined
        ? next.files.length === 0 && next.sockets >= last.sockets
        : !isMore(next, before);
    last = next;
    return isSteady;
  };
  await until('the process holds no more than at the start', attempt, 30_000).catch(() => false);
  return last;
}

function isMore(after: Holdings, before: Holdings): boolean {
  return (
    after.descriptors > before.descriptors ||
    after.sockets > before.sockets ||
    after.files.length > 0 ||
    after.heapBytes > before.heapBytes + SPARE_BYTES
  );
}

/** Clients that attack at the same time. */
class Attackers {
  readonly faults = new Set<string>();
  readonly #held = new Set<Socket>();
  readonly #unread = new Set<Socket>();

  constructor(
    private readonly url: string,
    private readonly attacks: FramingAttacks,
  ) {}

  /** Attacks until it is over, and returns the number of attacks. */
  async run(isOver: (attacks: number) => boolean): Promise<number> {
    let count = 0;
    const attack = async (): Promise<void> => {
      while (!isOver(count)) {
        count++;
        await this.#attack(this.attacks.next());
      }
    };
    await Promise.all(Array.from({ length: ATTACKERS }, attack));
    return count;
  }

  /** Closes the connections that are still open. */
  leave(): void {
    for (const socket of [...this.#held, ...this.#unread]) socket.destroy();
    this.#held.clear();
  }

  /** Opens the connections that never read; again if the gateway has closed them. */
  askWithoutReading(): void {
    while (this.#unread.size < UNREAD) {
      const socket = this.#open().pause();
      this.#unread.add(socket);
      socket.once('close', () => this.#unread.delete(socket));
      socket.write(this.attacks.unreadLists());
    }
  }

  #open(): Socket {
    const { hostname, port } = new URL(this.url);
    const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    return socket.on('error', () => undefined);
  }

  async #attack({ kind, parts, ending }: Attack): Promise<void> {
    const socket = this.#open();
    if (ending === 'hold') socket.pause();
    else this.#read(socket, kind);
    for (const part of parts) {
      socket.write(part);
      await sleep(1);
    }
    if (ending === 'hold') {
      this.#hold(socket);
      return;
    }
    if (ending === 'half-close') socket.end();
    if (ending === 'reset') socket.resetAndDestroy();
    await Promise.race([
      new Promise((done) => socket.once('close', done).once('end', done)),
      sleep(READ_MS, undefined, { ref: false }),
    ]);
    socket.destroy();
  }

  #read(socket: Socket, kind: string): void {
    let start = '';
    socket.on('data', (data: Buffer) => {
      const text = data.toString('latin1');
      if (text.includes(`: ${SMUGGLED_ID}\r\n`)) this.faults.add('a smuggled request was answered');
      if (start === '' && !text.startsWith('HTTP/1.1 '))
        this.faults.add(`"${text.slice(0, 20)}" is no response (${kind})`);
      start = text;
    });
  }

  /** Keeps the newest connections open; the gateway may close them before. */
  #hold(socket: Socket): void {
    this.#held.add(socket);
    socket.once('close', () => this.#held.delete(socket));
    for (const oldest of this.#held) {
      if (this.#held.size <= HELD) return;
      this.#held.delete(oldest);
      oldest.destroy();
    }
  }
}
