// Rows and presences as the gateway sends them, for tests of the dashboard's model.

import type { Delivery, Presence, WatchedVm } from '../../src/client/index.js';
import { VmRecord } from '../../src/dashboard/model/vm-record.js';

export function vm(hostname: string, columns: Partial<WatchedVm> = {}): WatchedVm {
  return {
    id: 1,
    hostname,
    email: null,
    status: 'available',
    created_at: '2026-03-02T09:00:00',
    updated_at: '2026-03-02T09:30:00.123456',
    version: 1,
    assignment_id: null,
    ...columns,
  };
}

export function presence(hostname: string, parts: Partial<Presence> = {}): Presence {
  return {
    hostname,
    online: true,
    since: '2026-03-02T09:00:00Z',
    duplicate: false,
    acked_assignment_id: null,
    delivery: null,
    ...parts,
  };
}

export function delivery(assignmentId: string, parts: Partial<Delivery> = {}): Delivery {
  return {
    assignment_id: assignmentId,
    made_at: '2026-03-02T09:30:00.000Z',
    pushed_at: null,
    acked_at: null,
    ended_at: null,
    outcome: null,
    exit_code: null,
    ...parts,
  };
}

export function record(
  hostname: string,
  columns: Partial<WatchedVm> = {},
  parts?: Partial<Presence>,
): VmRecord {
  return new VmRecord(vm(hostname, columns), parts && presence(hostname, parts));
}
