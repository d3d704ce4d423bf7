// All VMs: a map that is kept up by snapshots and changes, and the cursor from which the next socket goes on. The map
// and the cursor always belong together; a snapshot takes effect when its last part is there.

import type { Vm, DashboardVm } from '../protocol/row.js';
import { FLEET_PATH } from '../protocol/paths.js';
import type { StateMessage } from './connection.js';
import { Watch, type Model, type Pending } from './watch.js';

/** A row as its watcher may see it: for dashboards without `crd_command`. */
export type WatchedVm = DashboardVm & Partial<Pick<Vm, 'crd_command'>>;

/** What became of one hostname. */
export interface FleetChange {
  /** The row as it is now; undefined when it is gone. */
  readonly vm: WatchedVm | undefined;
  /** The row as this consumer knew it; undefined when it did not. */
  readonly before: WatchedVm | undefined;
}

/** By hostname, what changed. May be empty: then the gateway said that nothing did. */
export type FleetUpdate = ReadonlyMap<string, FleetChange>;

/** The fleet being watched; its state is the rows by hostname, the same map all the time. */
export class FleetWatch extends Watch<ReadonlyMap<string, WatchedVm>, FleetUpdate> {}

type Snapshot = Extract<StateMessage, { type: 'snapshot' }>;
type Changes = Extract<StateMessage, { type: 'changes' }>;

export class FleetModel implements Model<ReadonlyMap<string, WatchedVm>, FleetUpdate> {
  readonly #vms = new Map<string, WatchedVm>();
  #cursor: string | undefined;
  #loaded = false;
  /** The parts of a snapshot that have come; undefined when none is under way. */
  #parts: Map<string, WatchedVm> | undefined;

  get state(): ReadonlyMap<string, WatchedVm> {
    return this.#vms;
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
    if (this.#loaded) pending.add(addedAll(this.#vms));
    return pending;
  }

  #takePart({ vms, more, cursor }: Snapshot): { update: FleetUpdate } | 'partial' {
    this.#parts ??= new Map();
    for (const vm of vms) this.#parts.set(vm.hostname, vm);
    if (more) return 'partial';
    const update = this.#replace(this.#parts);
    this.#parts = undefined;
    this.#cursor = cursor;
    this.#loaded = true;
    return { update };
  }

  #replace(vms: ReadonlyMap<string, WatchedVm>): FleetUpdate {
    const update = new Map<string, FleetChange>();
    for (const hostname of this.#vms.keys()) {
      if (!vms.has(hostname)) this.#set(update, hostname, undefined);
    }
    for (const [hostname, vm] of vms) this.#set(update, hostname, vm);
    return update;
  }

  #apply({ changes, cursor }: Changes): FleetUpdate {
    const update = new Map<string, FleetChange>();
    for (const change of changes) {
      // Other kinds of change may come one day.
      switch (change.op) {
        case 'upsert':
          this.#set(update, change.vm.hostname, change.vm);
          break;
        case 'delete':
          this.#set(update, change.hostname, undefined);
      }
    }
    this.#cursor = cursor;
    return update;
  }

  #set(update: Map<string, FleetChange>, hostname: string, vm: WatchedVm | undefined): void {
    update.set(hostname, { vm, before: this.#vms.get(hostname) });
    if (vm === undefined) this.#vms.delete(hostname);
    else this.#vms.set(hostname, vm);
  }
}

/**
 * The changes a consumer has not looked at. What came and went meanwhile leaves no trace, so there are never more of
 * them than rows that are held plus rows that were held when the consumer last looked.
 */
class PendingChanges implements Pending<FleetUpdate> {
  #changes: Map<string, FleetChange> | undefined;

  add(update: FleetUpdate): void {
    this.#changes ??= new Map();
    for (const [hostname, change] of update) {
      const pending = this.#changes.get(hostname);
      const before = pending === undefined ? change.before : pending.before;
      if (change.vm === undefined && before === undefined) this.#changes.delete(hostname);
      else this.#changes.set(hostname, { vm: change.vm, before });
    }
  }

  take(): FleetUpdate | undefined {
    const changes = this.#changes;
    this.#changes = undefined;
    return changes;
  }
}

function addedAll(vms: ReadonlyMap<string, WatchedVm>): FleetUpdate {
  return new Map([...vms].map(([hostname, vm]) => [hostname, { vm, before: undefined }]));
}
