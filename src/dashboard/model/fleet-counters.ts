// The counters of the fleet, updated with each record that is added, changed or removed.

import type { VmRecord } from './vm-record.js';

/** The statuses with a meaning in the page; any other belongs to `other`. */
export const STATUS_GROUPS = ['available', 'in-use', 'failed', 'other'] as const;
export type StatusGroup = (typeof STATUS_GROUPS)[number];

/** Returns the group of a record's status. */
export function groupStatus({ vm: { status } }: Pick<VmRecord, 'vm'>): StatusGroup {
  return STATUS_GROUPS.find((known) => known === status) ?? 'other';
}

export class FleetCounters {
  total = 0;
  online = 0;
  /** VMs whose assignment has not been acknowledged. */
  waiting = 0;
  /** VMs with a danger. */
  endangered = 0;
  readonly byStatus: Record<StatusGroup, number> = {
    available: 0,
    'in-use': 0,
    failed: 0,
    other: 0,
  };

  /** Counts a record. It must be removed in the same state, before it changes. */
  add(record: VmRecord): void {
    this.#count(record, 1);
  }

  /** Undoes `add`. */
  remove(record: VmRecord): void {
    this.#count(record, -1);
  }

  #count(record: VmRecord, by: 1 | -1): void {
    this.total += by;
    if (record.online) this.online += by;
    if (record.waiting) this.waiting += by;
    if (record.dangers.length > 0) this.endangered += by;
    this.byStatus[groupStatus(record)] += by;
  }
}
