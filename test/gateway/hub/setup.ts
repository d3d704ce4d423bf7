// A hub to be tested, and the frames it is to make.

import type { VmRow } from '../../../src/gateway/fleet/entry.js';
import { Fleet } from '../../../src/gateway/fleet/fleet.js';
import { Hub } from '../../../src/gateway/hub/hub.js';
import {
  createRowProjector,
  type RowProjector,
  type Projection,
} from '../../../src/gateway/hub/projection.js';
import { FleetRecorder, VmRecorder } from './rows.js';

/** A hub that counts how often it asked to be flushed, and what texts it had made. */
export function setUp(maxTombstones = 100) {
  const fleet = new Fleet('e', maxTombstones);
  const made: string[] = [];
  const text = createRowProjector(['hostname', 'version']);
  const rowText: RowProjector = (entry, view) => {
    made.push(`${view} ${entry.hostname}`);
    return text(entry, view);
  };
  let pending = 0;
  const hub = new Hub(fleet, rowText, () => pending++);
  return {
    fleet,
    hub,
    made,
    pending: () => pending,
    upsert: (row: VmRow) => hub.publish(fleet.upsert(row)),
    delete: (hostname: string) => hub.publish(fleet.delete(hostname, 1)),
    watchVm: (...args: ConstructorParameters<typeof VmRecorder>) => {
      const watcher = new VmRecorder(...args);
      hub.subscribeToVm(watcher);
      return watcher;
    },
    watchFleet: (view: Projection = 'full', offset = fleet.head, onPush?: () => void) => {
      const watcher = new FleetRecorder(view, offset, onPush);
      hub.subscribeToFleet(watcher);
      return watcher;
    },
  };
}

/** A frame of changes. */
export const changes = (cursor: string, ...told: unknown[]): string =>
  JSON.stringify({ type: 'changes', changes: told, cursor });
export const upserted = (row: VmRow): unknown => ({
  op: 'upsert',
  vm: JSON.parse(row.row) as unknown,
});
