// Clients as the protocol means them: each applies what its socket is sent, and checks that nothing goes back.

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

/** A state that a hostname had: its row's version, or that it had none. */
type State = number | 'absent';

/** Every state that each hostname ever had, in order. Before the first it was absent. */
export class History {
  readonly #states = new Map<string, State[]>();

  add(hostname: string, state: State): void {
    this.of(hostname).push(state);
  }

  of(hostname: string): State[] {
    const states = this.#states.get(hostname) ?? ['absent'];
    this.#states.set(hostname, states);
    return states;
  }
}

/** What one socket was told, checked against what was: a hostname may skip states and not go back to one. */
class Told {
  readonly #places = new Map<string, number>();

  constructor(private readonly history: History) {}

  check(hostname: string, state: State): void {
    const place = this.#places.get(hostname) ?? 0;
    const found = this.history.of(hostname).indexOf(state, place);
    if (found === -1) throw new Error(`${hostname} went back to ${state}`);
    this.#places.set(hostname, found);
  }
}

function versionOf(vm: Vm): number {
  if (vm.version === null) throw new Error('a row without a version');
  return vm.version;
}

abstract class Reader {
  protected readonly told: Told;
  readonly socket = new MemorySocket();
  live: boolean;

  constructor(hub: Hub, history: History) {
    this.told = new Told(history);
    this.live = hub.live;
  }

  protected abstract readonly stream: Stream;
  protected abstract apply(message: ServerMessage): void;

  get behind(): boolean {
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

  /** Takes so many bytes of what is unsent; without a number everything, and reads on from then. */
  read(bytes?: number): void {
    if (bytes === undefined) this.socket.drain();
    else this.socket.read(bytes);
    if (this.socket.bufferedAmount === 0) this.stream.sendPending();
  }

  /** Applies what the socket was sent. */
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
  /** By hostname, the `since` of each presence that is known. */
  readonly presence = new Map<string, string>();
  /** The messages so far, by their types. */
  readonly types: string[] = [];
  cursor: string | undefined;
  #snapshotUnderWay = false;
  readonly #versionsTold = new Set<string>();

  /** @param former the same client before it reconnected: what it held, and where it resumes */
  constructor(
    hub: Hub,
    history: History,
    readonly view: Projection,
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
      view,
      cursor === undefined ? undefined : parseCursor(cursor),
    );
  }

  /** Takes everything; the socket is full again after so many more frames. */
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
      this.#versionsTold.clear();
    }
    for (const vm of part.vms) this.#upsert(vm);
    once(part.vms.map(({ hostname }) => hostname));
    for (const { hostname, since } of part.presence) this.presence.set(hostname, String(since));
    once(part.presence.map(({ hostname }) => hostname));
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
        this.told.check(change.hostname, 'absent');
        this.rows.delete(change.hostname);
      }
    }
    const isPresence = ({ op }: { op: string }): boolean => op === 'presence';
    once(frame.changes.filter((change) => !isPresence(change)).map(hostnameOf));
    once(frame.changes.filter(isPresence).map(hostnameOf));
    this.cursor = frame.cursor;
  }

  #takePresence({ hostname, since }: Presence): void {
    if (since === null) this.presence.delete(hostname);
    else this.presence.set(hostname, since);
  }

  #upsert(vm: Vm): void {
    if ('crd_command' in vm && this.view === 'dashboard') throw new Error('a secret was shown');
    this.told.check(vm.hostname, versionOf(vm));
    const told = `${vm.hostname} ${versionOf(vm)}`;
    if (this.#versionsTold.has(told)) throw new Error(`${told} was told twice`);
    this.#versionsTold.add(told);
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
    readonly view: Projection,
  ) {
    super(hub, history);
    this.stream = new VmStream(hub, this.socket, hostname, view);
  }

  protected apply(message: ServerMessage): void {
    if (message.type === 'feed') this.live = message.live;
    else if (message.type === 'absent') this.#take(message.hostname, undefined);
    else if (message.type === 'status' || message.type === 'assignment')
      this.#take(message.vm.hostname, message.vm);
    else throw new Error(`a client of one VM was sent ${message.type}`);
  }

  #take(hostname: string, vm: Vm | undefined): void {
    if (hostname !== this.hostname) throw new Error(`${hostname} is none of its business`);
    this.told.check(hostname, vm === undefined ? 'absent' : versionOf(vm));
    this.vm = vm;
  }
}

function hostnameOf(change: Change): string {
  return change.op === 'upsert' ? change.vm.hostname : change.hostname;
}

function once(hostnames: readonly string[]): void {
  if (new Set(hostnames).size !== hostnames.length) throw new Error('a hostname twice in a frame');
}
