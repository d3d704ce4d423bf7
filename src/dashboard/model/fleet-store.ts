// Stores all VMs of the page, apart from the components. Changes are applied as they arrive; the
// changed records are collected, each once, until the next frame takes them.

import type { Presence, WatchedVm } from '../../client/index.js';
import { listChangedColumns } from './columns.js';
import { FleetCounters } from './fleet-counters.js';
import { LATE_MS } from './danger.js';
import { VmRecord } from './vm-record.js';

/** Called for each change; not for a message that repeats the known state. */
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
  /** The presence of every agent, also of agents whose VM has no row yet. */
  readonly #presences = new Map<string, Presence>();
  /** The records that wait, and are not late yet. */
  readonly #waiting = new Set<VmRecord>();
  #changed = new Set<VmRecord>();

  constructor(private readonly events: StoreEvents) {}

  get records(): ReadonlyMap<string, VmRecord> {
    return this.#records;
  }

  /** Applies a VM's row; undefined if it was deleted. */
  setVm(hostname: string, vm: WatchedVm | undefined, nowMs: number): void {
    const record = this.#records.get(hostname);
    const before = record?.vm;
    if (isSame(before, vm)) return;
    if (vm === undefined) this.#drop(hostname);
    else if (record === undefined) this.#add(vm);
    else this.#change(record, () => record.setVm(vm, nowMs));
    this.events.vm(hostname, before, vm);
  }

  /** Applies an agent's presence; undefined if there is none any more. */
  setPresence(hostname: string, presence: Presence | undefined, nowMs: number): void {
    const before = this.#presences.get(hostname);
    if (isSame(before, presence)) return;
    if (presence === undefined) this.#presences.delete(hostname);
    else this.#presences.set(hostname, presence);
    const record = this.#records.get(hostname);
    if (record !== undefined) this.#change(record, () => record.setPresence(presence, nowMs));
    this.events.presence(hostname, before, presence);
  }

  /** Returns the records that were added, changed or removed since the last call. */
  takeChanged(): ReadonlySet<VmRecord> {
    const changed = this.#changed;
    if (changed.size > 0) this.#changed = new Set();
    return changed;
  }

  /**
   * Marks the assignments that have waited for too long.
   * @param nowMs the gateway's time, in ms since the epoch.
   * @returns whether there was one.
   */
  markLate(nowMs: number): boolean {
    const late = [...this.#waiting].filter(
      ({ waitingSinceMs }) => waitingSinceMs !== undefined && nowMs - waitingSinceMs > LATE_MS,
    );
    for (const record of late) this.#change(record, () => (record.late = true));
    return late.length > 0;
  }

  #follow(record: VmRecord): void {
    if (record.waiting && !record.late) this.#waiting.add(record);
    else this.#waiting.delete(record);
  }

  #add(vm: WatchedVm): void {
    const record = new VmRecord(vm, this.#presences.get(vm.hostname));
    this.#records.set(vm.hostname, record);
    this.counters.add(record);
    this.#changed.add(record);
    this.#follow(record);
  }

  #change(record: VmRecord, change: () => void): void {
    this.counters.remove(record);
    change();
    this.counters.add(record);
    this.#changed.add(record);
    this.#follow(record);
  }

  #drop(hostname: string): void {
    const record = this.#records.get(hostname);
    if (record === undefined) return;
    this.#records.delete(hostname);
    this.#waiting.delete(record);
    this.counters.remove(record);
    this.#changed.add(record);
  }
}

function isSame(before: object | undefined, after: object | undefined): boolean {
  if (before === after) return true;
  if (before === undefined || after === undefined) return false;
  return listChangedColumns(before, after).length === 0;
}
