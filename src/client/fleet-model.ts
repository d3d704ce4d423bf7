// The state of a fleet watch: rows and presence by hostname, and the cursor to resume from. The
// maps and the cursor always belong together: a snapshot takes effect with its last part.

import { FLEET_PATH } from '../protocol/paths.js';
import type { Presence } from '../protocol/presence.js';
import type { FleetChange, FleetUpdate, WatchedVm } from './fleet-change.js';
import { PendingChanges } from './pending-changes.js';
import type { StateMessage } from './reconnecting-connection.js';
import type { WatchModel } from './watch.js';

type Snapshot = Extract<StateMessage, { type: 'snapshot' }>;
type Changes = Extract<StateMessage, { type: 'changes' }>;
type PresenceChange = Extract<Changes['changes'][number], { op: 'presence' }>;

/** The row and the presence of one hostname. */
interface HostState {
  readonly vm: WatchedVm | undefined;
  readonly presence: Presence | undefined;
}

interface FleetMaps {
  readonly vms: Map<string, WatchedVm>;
  readonly presence: Map<string, Presence>;
}

const createMaps = (): FleetMaps => ({ vms: new Map(), presence: new Map() });

export class FleetModel implements WatchModel<ReadonlyMap<string, WatchedVm>, FleetUpdate> {
  readonly #maps = createMaps();
  #cursor: string | undefined;
  #loaded = false;
  /** The parts of an unfinished snapshot; undefined between snapshots. */
  #parts: FleetMaps | undefined;

  get state(): ReadonlyMap<string, WatchedVm> {
    return this.#maps.vms;
  }

  get presence(): ReadonlyMap<string, Presence> {
    return this.#maps.presence;
  }

  get path(): string {
    const query = this.#cursor === undefined ? '' : `?cursor=${encodeURIComponent(this.#cursor)}`;
    return FLEET_PATH + query;
  }

  dropPartial(): void {
    this.#parts = undefined;
  }

  resync(): void {
    this.#cursor = undefined;
  }

  apply(message: StateMessage): { update: FleetUpdate } | 'partial' | 'misplaced' {
    if (message.type === 'snapshot') return this.#applyPart(message);
    // Changes continue a complete state: before a snapshot and inside one they are misplaced.
    if (message.type !== 'changes' || !this.#loaded || this.#parts !== undefined)
      return 'misplaced';
    return { update: this.#applyChanges(message) };
  }

  createPending(): PendingChanges {
    const pending = new PendingChanges();
    if (this.#loaded) pending.add(describeAsAdded(this.#maps));
    return pending;
  }

  #applyPart({ vms, presence, more, cursor }: Snapshot): { update: FleetUpdate } | 'partial' {
    const parts = (this.#parts ??= createMaps());
    for (const vm of vms) parts.vms.set(vm.hostname, vm);
    for (const agent of presence) parts.presence.set(agent.hostname, agent);
    if (more) return 'partial';
    const update = this.#replaceAll(parts);
    this.#parts = undefined;
    this.#cursor = cursor;
    this.#loaded = true;
    return { update };
  }

  #replaceAll(maps: FleetMaps): FleetUpdate {
    const update = new Map<string, FleetChange>();
    for (const hostname of new Set([...listHostnames(this.#maps), ...listHostnames(maps)])) {
      this.#set(update, hostname, readHost(maps, hostname));
    }
    return update;
  }

  #applyChanges({ changes, cursor }: Changes): FleetUpdate {
    const update = new Map<string, FleetChange>();
    for (const change of changes) {
      const hostname = change.op === 'upsert' ? change.vm.hostname : change.hostname;
      const host = readHost(this.#maps, hostname);
      // A newer gateway may send other operations: they are ignored.
      switch (change.op) {
        case 'upsert':
          this.#set(update, hostname, { ...host, vm: change.vm });
          break;
        case 'delete':
          this.#set(update, hostname, { ...host, vm: undefined });
          break;
        case 'presence':
          this.#set(update, hostname, { ...host, presence: readPresence(change) });
      }
    }
    this.#cursor = cursor;
    return update;
  }

  #set(update: Map<string, FleetChange>, hostname: string, { vm, presence }: HostState): void {
    const host = readHost(this.#maps, hostname);
    // The row and the presence of a hostname may change in one message.
    const earlier = update.get(hostname);
    const before = earlier === undefined ? host.vm : earlier.before;
    const presenceBefore = earlier === undefined ? host.presence : earlier.presenceBefore;
    update.set(hostname, { vm, before, presence, presenceBefore });
    setOrDelete(this.#maps.vms, hostname, vm);
    setOrDelete(this.#maps.presence, hostname, presence);
  }
}

/** Returns undefined if the change says that nothing is known of the agent any more. */
function readPresence(change: PresenceChange): Presence | undefined {
  const { hostname, online, since, duplicate, acked_assignment_id, delivery } = change;
  // A gateway of another version may leave out fields that it does not know.
  if (!online && (since ?? delivery ?? null) === null) return undefined;
  return { hostname, online, since, duplicate, acked_assignment_id, delivery };
}

function readHost({ vms, presence }: FleetMaps, hostname: string): HostState {
  return { vm: vms.get(hostname), presence: presence.get(hostname) };
}

function setOrDelete<V>(map: Map<string, V>, hostname: string, value: V | undefined): void {
  if (value === undefined) map.delete(hostname);
  else map.set(hostname, value);
}

function listHostnames({ vms, presence }: FleetMaps): Set<string> {
  return new Set([...vms.keys(), ...presence.keys()]);
}

/** Describes the whole fleet as changes, for a consumer that knows nothing yet. */
function describeAsAdded(maps: FleetMaps): FleetUpdate {
  const describe = (hostname: string): FleetChange => ({
    ...readHost(maps, hostname),
    before: undefined,
    presenceBefore: undefined,
  });
  return new Map([...listHostnames(maps)].map((hostname) => [hostname, describe(hostname)]));
}
