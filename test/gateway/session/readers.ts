// Clients after the protocol: each applies what its socket receives, and checks that no hostname
// goes back to an earlier state.

import { parseCursor } from '../../../src/gateway/fleet/cursor.js';
import type { Hub } from '../../../src/gateway/hub/hub.js';
import type { Projection } from '../../../src/gateway/hub/projection.js';
import type { ServerMessage } from '../../../src/protocol/messages.js';
import { FleetStream } from '../../../src/gateway/session/fleet-stream.js';
import type { Stream, StreamState } from '../../../src/gateway/session/stream.js';
import { VmStream } from '../../../src/gateway/session/vm-stream.js';
import { MemorySocket } from '../../helpers/memory-socket.js';

type Change = Extract<ServerMessage, { type: 'changes' }>['changes'][number];
type Presence = Extract<Change, { op: 'presence' }>;
type Vm = Extract<ServerMessage, { type: 'status' }>['vm'];

/** A state of a hostname: its row's version, or absent. */
type State = number | 'absent';

/** All states of each hostname, in order; the first is absent. */
export class History {
  readonly #states = new Map<string, State[]>();

  add(hostname: string, state: State): void {
    this.list(hostname).push(state);
  }

  list(hostname: string): State[] {
    const states = this.#states.get(hostname) ?? ['absent'];
    this.#states.set(hostname, states);
    return states;
  }
}

/** Checks what one socket received: a hostname may skip states but never go back to one. */
class OrderCheck {
  readonly #places = new Map<string, number>();

  constructor(private readonly history: History) {}

  check(hostname: string, state: State): void {
    const place = this.#places.get(hostname) ?? 0;
    const found = this.history.list(hostname).indexOf(state, place);
    if (found === -1) throw new Error(`${hostname} went back to ${state}`);
    this.#places.set(hostname, found);
  }
}

function readVersion(vm: Vm): number {
  if (vm.version === null) throw new Error('a row without a version');
  return vm.version;
}

abstract class Reader {
  protected readonly order: OrderCheck;
  readonly socket = new MemorySocket();
  live: boolean;

  constructor(hub: Hub, history: History) {
    this.order = new OrderCheck(history);
    this.live = hub.live;
  }

  protected abstract readonly stream: Stream;
  protected abstract apply(message: ServerMessage): void;

  get lagging(): boolean {
    return this.stream.lagging;
  }

  get state(): StreamState {
    return this.stream.state;
  }

  get conflated(): number {
    return this.stream.conflated;
  }

  start(): this {
    this.stream.start();
    return this;
  }

  /** Reads this many unsent bytes; without a number reads everything, now and later. */
  read(bytes?: number): void {
    if (bytes === undefined) this.socket.drain();
    else this.socket.read(bytes);
    if (this.socket.bufferedAmount === 0) this.stream.sendPending();
  }

  /** Applies the messages that the socket received. */
  update(): void {
    for (const message of this.socket.messages()) this.apply(message);
  }

  leave(): void {
    this.stream.stop();
  }
}

/** A client of all VMs. */
export class FleetReader extends Reader {
  protected readonly stream: FleetStream;
  readonly rows = new Map<string, Vm>();
  /** The `since` of each known presence, by hostname. */
  readonly presence = new Map<string, string>();
  /** The messages so far, by their types. */
  readonly types: string[] = [];
  cursor: string | undefined;
  #snapshotUnderWay = false;
  readonly #receivedVersions = new Set<string>();

  /** @param former the same client before it reconnected: its state and its cursor. */
  constructor(
    hub: Hub,
    history: History,
    readonly projection: Projection,
    former?: FleetReader,
  ) {
    super(hub, history);
    const cursor = former?.cursor;
    if (cursor !== undefined) {
      this.rows = new Map(former?.rows);
      this.presence = new Map(former?.presence);
    }
    this.stream = new FleetStream(
      hub,
      this.socket,
      projection,
      cursor === undefined ? undefined : parseCursor(cursor),
    );
  }

  /** Reads everything; the socket is full again after this many more frames. */
  readSlowly(frames: number): void {
    this.socket.drain();
    this.socket.fillAfter(frames);
    this.stream.sendPending();
  }

  protected apply(message: ServerMessage): void {
    this.types.push(message.type);
    if (message.type === 'feed') this.live = message.live;
    else if (message.type === 'snapshot') this.#applySnapshot(message);
    else if (message.type === 'changes') this.#applyChanges(message);
    else throw new Error(`a client of all VMs was sent ${message.type}`);
  }

  #applySnapshot(part: Extract<ServerMessage, { type: 'snapshot' }>): void {
    if (!this.#snapshotUnderWay) {
      this.rows.clear();
      this.presence.clear();
      this.#receivedVersions.clear();
    }
    for (const vm of part.vms) this.#upsert(vm);
    assertUnique(part.vms.map(({ hostname }) => hostname));
    for (const { hostname, since } of part.presence) this.presence.set(hostname, String(since));
    assertUnique(part.presence.map(({ hostname }) => hostname));
    if (part.more !== (part.cursor === undefined))
      throw new Error('a cursor on the last part only');
    this.#snapshotUnderWay = part.more;
    this.cursor = part.cursor;
  }

  #applyChanges(frame: Extract<ServerMessage, { type: 'changes' }>): void {
    if (this.#snapshotUnderWay) throw new Error('changes in the middle of a snapshot');
    for (const change of frame.changes) {
      if (change.op === 'upsert') this.#upsert(change.vm);
      else if (change.op === 'presence') this.#takePresence(change);
      else {
        this.order.check(change.hostname, 'absent');
        this.rows.delete(change.hostname);
      }
    }
    const isPresence = ({ op }: { op: string }): boolean => op === 'presence';
    assertUnique(frame.changes.filter((change) => !isPresence(change)).map(readHostname));
    assertUnique(frame.changes.filter(isPresence).map(readHostname));
    this.cursor = frame.cursor;
  }

  #takePresence({ hostname, since }: Presence): void {
    if (since === null) this.presence.delete(hostname);
    else this.presence.set(hostname, since);
  }

  #upsert(vm: Vm): void {
    if ('crd_command' in vm && this.projection === 'dashboard')
      throw new Error('a dashboard received crd_command');
    this.order.check(vm.hostname, readVersion(vm));
    const key = `${vm.hostname} ${readVersion(vm)}`;
    if (this.#receivedVersions.has(key)) throw new Error(`${key} was sent twice`);
    this.#receivedVersions.add(key);
    this.rows.set(vm.hostname, vm);
  }
}

/** A client of one VM. */
export class VmReader extends Reader {
  protected readonly stream: VmStream;
  vm: Vm | undefined;

  constructor(
    hub: Hub,
    history: History,
    readonly hostname: string,
    readonly projection: Projection,
  ) {
    super(hub, history);
    this.stream = new VmStream(hub, this.socket, hostname, projection);
  }

  protected apply(message: ServerMessage): void {
    if (message.type === 'feed') this.live = message.live;
    else if (message.type === 'absent') this.#take(message.hostname, undefined);
    else if (message.type === 'status' || message.type === 'assignment')
      this.#take(message.vm.hostname, message.vm);
    else throw new Error(`a client of one VM was sent ${message.type}`);
  }

  #take(hostname: string, vm: Vm | undefined): void {
    if (hostname !== this.hostname) throw new Error(`${hostname} is not its VM`);
    this.order.check(hostname, vm === undefined ? 'absent' : readVersion(vm));
    this.vm = vm;
  }
}

function readHostname(change: Change): string {
  return change.op === 'upsert' ? change.vm.hostname : change.hostname;
}

function assertUnique(hostnames: readonly string[]): void {
  if (new Set(hostnames).size !== hostnames.length) throw new Error('a hostname twice in a frame');
}
