// All VMs and the presence of their agents: two maps that are kept up by snapshots and changes, and the cursor from
// which the next socket goes on. Maps and cursor always belong together; a snapshot takes effect when its last part is
// there.

import type { Presence } from '../protocol/presence.js';
import type { Vm, DashboardVm } from '../protocol/row.js';
import { FLEET_PATH } from '../protocol/paths.js';
import type { Gateway, StateMessage } from './connection.js';
import { Watch, type Model, type Pending } from './watch.js';

/** A row as its watcher may see it: for dashboards without `crd_command`. */
export type WatchedVm = DashboardVm & Partial<Pick<Vm, 'crd_command'>>;

/** What became of one hostname: its row, its agent, or both. What did not change is the same object as before. */
export interface FleetChange {
  /** The row as it is now; undefined when it is gone. */
  readonly vm: WatchedVm | undefined;
  /** The row as this consumer knew it; undefined when it did not. */
  readonly before: WatchedVm | undefined;
  /** The agent's presence as it is now; undefined when nothing is known of it. */
  readonly presence: Presence | undefined;
  /** The presence as this consumer knew it; undefined when it did not. */
  readonly presenceBefore: Presence | undefined;
}

/** By hostname, what changed. May be empty: then the gateway said that nothing did. */
export type FleetUpdate = ReadonlyMap<string, FleetChange>;

/** The fleet being watched; its state is the rows by hostname, the same map all the time. */
export class FleetWatch extends Watch<ReadonlyMap<string, WatchedVm>, FleetUpdate> {
  /** What is known of agents, by hostname, also of one without a row: the same map all the time. */
  readonly presence: ReadonlyMap<string, Presence>;

  constructor(gateway: Gateway, model: FleetModel) {
    super(gateway, model);
    this.presence = model.presence;
  }

  /** The rows: another name of `state`. */
  get vms(): ReadonlyMap<string, WatchedVm> {
    return this.state;
  }
}

type Snapshot = Extract<StateMessage, { type: 'snapshot' }>;
type Changes = Extract<StateMessage, { type: 'changes' }>;
type PresenceChange = Extract<Changes['changes'][number], { op: 'presence' }>;

/** What there is of one hostname. */
interface Known {
  readonly vm: WatchedVm | undefined;
  readonly presence: Presence | undefined;
}

interface Maps {
  readonly vms: Map<string, WatchedVm>;
  readonly presence: Map<string, Presence>;
}

const emptyMaps = (): Maps => ({ vms: new Map(), presence: new Map() });

export class FleetModel implements Model<ReadonlyMap<string, WatchedVm>, FleetUpdate> {
  readonly #maps = emptyMaps();
  #cursor: string | undefined;
  #loaded = false;
  /** The parts of a snapshot that have come; undefined when none is under way. */
  #parts: Maps | undefined;

  get state(): ReadonlyMap<string, WatchedVm> {
    return this.#maps.vms;
  }

  get presence(): ReadonlyMap<string, Presence> {
    return this.#maps.presence;
  }

  get target(): string {
    const query = this.#cursor === undefined ? '' : `?cursor=${encodeURIComponent(this.#cursor)}`;
    return FLEET_PATH + query;
  }

  begin(): void {
    this.#parts = undefined;
  }

  startOver(): void {
    this.#cursor = undefined;
  }

  take(message: StateMessage): { update: FleetUpdate } | 'partial' | 'misplaced' {
    if (message.type === 'snapshot') return this.#takePart(message);
    // Changes continue something: they have no place before a snapshot, nor inside one.
    if (message.type !== 'changes' || !this.#loaded || this.#parts !== undefined)
      return 'misplaced';
    return { update: this.#apply(message) };
  }

  pending(): PendingChanges {
    const pending = new PendingChanges();
    if (this.#loaded) pending.add(addedAll(this.#maps));
    return pending;
  }

  #takePart({ vms, presence, more, cursor }: Snapshot): { update: FleetUpdate } | 'partial' {
    const parts = (this.#parts ??= emptyMaps());
    for (const vm of vms) parts.vms.set(vm.hostname, vm);
    for (const known of presence) parts.presence.set(known.hostname, known);
    if (more) return 'partial';
    const update = this.#replace(parts);
    this.#parts = undefined;
    this.#cursor = cursor;
    this.#loaded = true;
    return { update };
  }

  #replace(maps: Maps): FleetUpdate {
    const update = new Map<string, FleetChange>();
    for (const hostname of new Set([...hostnamesOf(this.#maps), ...hostnamesOf(maps)])) {
      this.#set(update, hostname, knownIn(maps, hostname));
    }
    return update;
  }

  #apply({ changes, cursor }: Changes): FleetUpdate {
    const update = new Map<string, FleetChange>();
    for (const change of changes) {
      const hostname = change.op === 'upsert' ? change.vm.hostname : change.hostname;
      const known = knownIn(this.#maps, hostname);
      // Other kinds of change may come one day.
      switch (change.op) {
        case 'upsert':
          this.#set(update, hostname, { ...known, vm: change.vm });
          break;
        case 'delete':
          this.#set(update, hostname, { ...known, vm: undefined });
          break;
        case 'presence':
          this.#set(update, hostname, { ...known, presence: presenceIn(change) });
      }
    }
    this.#cursor = cursor;
    return update;
  }

  #set(update: Map<string, FleetChange>, hostname: string, { vm, presence }: Known): void {
    const known = knownIn(this.#maps, hostname);
    // Row and presence of a hostname may change in one message.
    const earlier = update.get(hostname);
    const before = earlier === undefined ? known.vm : earlier.before;
    const presenceBefore = earlier === undefined ? known.presence : earlier.presenceBefore;
    update.set(hostname, { vm, before, presence, presenceBefore });
    put(this.#maps.vms, hostname, vm);
    put(this.#maps.presence, hostname, presence);
  }
}

/** Undefined when it says that nothing is known any more: neither when nor what. */
function presenceIn(change: PresenceChange): Presence | undefined {
  const { hostname, online, since, duplicate, acked_assignment_id, delivery } = change;
  // Another gateway may leave out what it does not know.
  if (!online && (since ?? delivery ?? null) === null) return undefined;
  return { hostname, online, since, duplicate, acked_assignment_id, delivery };
}

function knownIn({ vms, presence }: Maps, hostname: string): Known {
  return { vm: vms.get(hostname), presence: presence.get(hostname) };
}

function put<V>(map: Map<string, V>, hostname: string, value: V | undefined): void {
  if (value === undefined) map.delete(hostname);
  else map.set(hostname, value);
}

function hostnamesOf({ vms, presence }: Maps): Set<string> {
  return new Set([...vms.keys(), ...presence.keys()]);
}

/**
 * The changes a consumer has not looked at. What came and went meanwhile leaves no trace, so there are never more of
 * them than hostnames that are held plus those that were held when the consumer last looked.
 */
class PendingChanges implements Pending<FleetUpdate> {
  #changes: Map<string, FleetChange> | undefined;

  add(update: FleetUpdate): void {
    this.#changes ??= new Map();
    for (const [hostname, change] of update) {
      const { before, presenceBefore } = this.#changes.get(hostname) ?? change;
      const whole = { ...change, before, presenceBefore };
      if (Object.values(whole).every((part) => part === undefined)) this.#changes.delete(hostname);
      else this.#changes.set(hostname, whole);
    }
  }

  take(): FleetUpdate | undefined {
    const changes = this.#changes;
    this.#changes = undefined;
    return changes;
  }
}

function addedAll(maps: Maps): FleetUpdate {
  const added = (hostname: string): FleetChange => ({
    ...knownIn(maps, hostname),
    before: undefined,
    presenceBefore: undefined,
  });
  return new Map([...hostnamesOf(maps)].map((hostname) => [hostname, added(hostname)]));
}
