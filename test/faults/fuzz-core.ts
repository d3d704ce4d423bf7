// Everything between a notification and a socket, and between a frame and its answer, without I/O.
// Whatever it is fed with, it sends only messages that a client accepts, and holds no more than the
// table and its sockets.

import { setImmediate as turn } from 'node:timers/promises';
import { readServerFrame } from '../../src/client/server-message.js';
import { Dispatcher } from '../../src/gateway/feed/dispatcher.js';
import { INVALIDATIONS_CHANNEL, ROWS_CHANNEL } from '../../src/gateway/feed/notification.js';
import { Reconciler } from '../../src/gateway/feed/reconciler.js';
import { Fleet } from '../../src/gateway/fleet/fleet.js';
import { Hub } from '../../src/gateway/hub/hub.js';
import { createRowProjector } from '../../src/gateway/hub/projection.js';
import { DASHBOARD_COLUMNS } from '../../src/protocol/row.js';
import { FleetStream } from '../../src/gateway/session/fleet-stream.js';
import { Session, type SessionSettings } from '../../src/gateway/session/session.js';
import { Sessions } from '../../src/gateway/session/sessions.js';
import { VmStream } from '../../src/gateway/session/vm-stream.js';
import { MemorySocket } from '../helpers/memory-socket.js';
import type { Mutations } from './mutations.js';

const UUID = '0b8a1a34-6f0e-4a51-9d6c-0f8e4d2c1b7a';
const row = (n: number): string =>
  `{"id":${n},"hostname":"vm-${n}","email":null,"status":"in-use","crd_command":"x","created_at":"2026-01-01T00:00:00","updated_at":"2026-01-01T00:00:00","version":${n * 100},"assignment_id":"${UUID}"}`;

const PAYLOADS: readonly [string, ...string[]] = [
  ...([row(1), row(2), row(3), row(1).replace('100', '101')] as const),
  ...['{"op":"read","hostname":"vm-1"}', '{"op":"read"}', '1'],
];
const CHANNELS = [ROWS_CHANNEL, ROWS_CHANNEL, ROWS_CHANNEL, INVALIDATIONS_CHANNEL, 'else'] as const;
const FRAMES: readonly [string, ...string[]] = [
  '{"type":"ping"}',
  `{"type":"ack","assignment_id":"${UUID}"}`,
  `{"type":"status","status":"failed","assignment_id":"${UUID}"}`,
  '{"type":"status","status":"available"}',
  '{"type":"auth","token":"a.b.c"}',
];

const SOCKETS = 20;
/** So often the table is read, and then it is empty: what a payload made up is gone. */
const BETWEEN_READS = 500;
const BETWEEN_TURNS = 100;
const MS_BETWEEN = 20;

const settings: SessionSettings = {
  gateway: 'g',
  heartbeatMs: 25_000,
  requests: {
    acknowledge: async () => undefined,
    reportStatus: async () => ({ code: 'not_allowed', message: 'no' }),
    verify: () => ({ ok: false, reason: 'invalid' }),
  },
  onRejection: () => undefined,
  onBug: (error) => {
    throw error;
  },
};

/** As the client library does. */
function read(socket: MemorySocket): void {
  for (const text of socket.take()) {
    if (readServerFrame(text).kind !== 'message') throw new Error(`no message: ${text}`);
  }
}

export class FuzzedCore {
  readonly #fleet = new Fleet('epoch', 100);
  readonly #hub: Hub = new Hub(this.#fleet, createRowProjector(DASHBOARD_COLUMNS), () => undefined);
  readonly #reconciler = new Reconciler(this.#fleet, (entry) => this.#hub.publish(entry));
  readonly #sessions = new Sessions();
  readonly #open: (readonly [Session, MemorySocket])[] = [];
  #nowMs = 0;
  readonly #dispatcher = new Dispatcher(this.#reconciler, () => undefined, {
    handled: () => undefined,
    rejected: () => undefined,
    invalidated: () => undefined,
    presenceInvalidated: () => undefined,
    revocationsInvalidated: () => undefined,
    heartbeat: () => undefined,
    failed: (error) => {
      throw error;
    },
  });

  constructor(private readonly mutations: Mutations) {
    for (let n = 0; n < SOCKETS; n++) this.#connect(n);
  }

  /**
   * So many payloads and frames, half of each. A message that the protocol does not know throws.
   */
  async feed(count: number): Promise<void> {
    for (let n = 0; n < count; n++) {
      this.#nowMs += MS_BETWEEN;
      if (n % 2 === 0)
        this.#dispatcher.handle(this.mutations.of(CHANNELS), this.mutations.text(PAYLOADS));
      else this.#say();
      if (n % BETWEEN_TURNS === 0) await this.#settle();
      if (n % BETWEEN_READS === 0) this.#readEmptyTable();
    }
    this.#readEmptyTable();
    await this.#settle();
  }

  #connect(at: number): void {
    const socket = new MemorySocket();
    const role = at % 2 === 0 ? 'agent' : 'dashboard';
    const stream =
      role === 'agent'
        ? new VmStream(this.#hub, socket, `vm-${at % 4}`, 'full')
        : new FleetStream(this.#hub, socket, 'dashboard', undefined);
    const identity = { role, sub: `vm-${at}`, expiresAtMs: Infinity } as const;
    const session = new Session(socket, stream, settings, identity, this.#nowMs);
    this.#sessions.add(session);
    session.start(true);
    this.#open[at] = [session, socket];
  }

  #say(): void {
    const at = this.mutations.index(SOCKETS);
    const [session, socket] = this.#open[at] ?? [];
    if (session === undefined || socket === undefined) return;
    const isBinary = this.mutations.index(500) === 0;
    session.receive(isBinary ? undefined : this.mutations.text(FRAMES), this.#nowMs);
    if (session.closedWith === undefined) return;
    this.#sessions.remove(session);
    read(socket);
    this.#connect(at);
  }

  /** Lets pending promises settle, flushes, and reads every socket. */
  async #settle(): Promise<void> {
    await turn();
    this.#hub.flush();
    this.#sessions.sweep(this.#nowMs, 0);
    for (const [, socket] of this.#open) read(socket);
  }

  #readEmptyTable(): void {
    this.#reconciler.invalidateAll();
    while (this.#reconciler.beginRead() !== undefined) {
      this.#reconciler.finishRead({ rows: [], sequence: 1_000 });
    }
    if (this.#fleet.size > 0) throw new Error('what is not in the table is still held');
  }
}
