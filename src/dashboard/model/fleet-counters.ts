// The fleet in numbers, kept as records come, change and go: never counted anew.

import type { VmRecord } from './vm-record.js';

/** The statuses that mean something here; any other is `other`. */
export const STATUS_GROUPS = ['available', 'in-use', 'failed', 'other'] as const;
export type StatusGroup = (typeof STATUS_GROUPS)[number];

export function groupStatus({ vm: { status } }: Pick<VmRecord, 'vm'>): StatusGroup {
  return STATUS_GROUPS.find((known) => known === status) ?? 'other';
}

export class FleetCounters {
  total = 0;
  online = 0;
  /** Assignments that no agent has acknowledged. */
  waiting = 0;
  readonly byStatus: Record<StatusGroup, number> = {
    available: 0,
    'in-use': 0,
    failed: 0,
    other: 0,
  };

  /** Counts a record in; to be counted out as it is now before it changes. */
  add(record: VmRecord): void {
    this.#count(record, 1);
  }

  remove(record: VmRecord): void {
    this.#count(record, -1);
  }

  #count(record: VmRecord, by: 1 | -1): void {
    this.total += by;
    if (record.online) this.online += by;
    if (record.waiting) this.waiting += by;
    this.byStatus[groupStatus(record)] += by;
  }
}
