// All VMs as the page holds them, apart from what is drawn: changes are applied as they come, and what they touched
// waits, each record once, until the next frame takes it.

import type { Presence, WatchedVm } from '../../client/index.js';
import { changedColumns } from './columns.js';
import { FleetCounters } from './fleet-counters.js';
import { VmRecord } from './vm-record.js';

/** Told of each change that is one; never of a row that is told again as it was. */
export interface StoreEvents {
  readonly vm: (
    hostname: string,
    before: WatchedVm | undefined,
    after: WatchedVm | undefined,
  ) => void;
  readonly presence: (
    hostname: string,
    before: Presence | undefined,
    after: Presence | undefined,
  ) => void;
}

export class FleetStore {
  readonly counters = new FleetCounters();
  readonly #records = new Map<string, VmRecord>();
  /** Of agents also before their VM has a row. */
  readonly #presences = new Map<string, Presence>();
  #touched = new Set<VmRecord>();

  constructor(private readonly events: StoreEvents) {}

  get records(): ReadonlyMap<string, VmRecord> {
    return this.#records;
  }

  setVm(hostname: string, vm: WatchedVm | undefined, nowMs: number): void {
    const record = this.#records.get(hostname);
    const before = record?.vm;
    if (isSame(before, vm)) return;
    if (vm === undefined) this.#drop(hostname);
    else if (record === undefined) this.#add(vm);
    else this.#change(record, () => record.setVm(vm, nowMs));
    this.events.vm(hostname, before, vm);
  }

  setPresence(hostname: string, presence: Presence | undefined, nowMs: number): void {
    const before = this.#presences.get(hostname);
    if (isSame(before, presence)) return;
    if (presence === undefined) this.#presences.delete(hostname);
    else this.#presences.set(hostname, presence);
    const record = this.#records.get(hostname);
    if (record !== undefined) this.#change(record, () => record.setPresence(presence, nowMs));
    this.events.presence(hostname, before, presence);
  }

  /** The records that came, changed or went since the last time. */
  takeChanged(): ReadonlySet<VmRecord> {
    const touched = this.#touched;
    if (touched.size > 0) this.#touched = new Set();
    return touched;
  }

  #add(vm: WatchedVm): void {
    const record = new VmRecord(vm, this.#presences.get(vm.hostname));
    this.#records.set(vm.hostname, record);
    this.counters.add(record);
    this.#touched.add(record);
  }

  #change(record: VmRecord, change: () => void): void {
    this.counters.remove(record);
    change();
    this.counters.add(record);
    this.#touched.add(record);
  }

  #drop(hostname: string): void {
    const record = this.#records.get(hostname);
    if (record === undefined) return;
    this.#records.delete(hostname);
    this.counters.remove(record);
    this.#touched.add(record);
  }
}

function isSame(one: object | undefined, other: object | undefined): boolean {
  if (one === other) return true;
  if (one === undefined || other === undefined) return false;
  return changedColumns(one, other).length === 0;
}
