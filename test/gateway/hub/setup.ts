// A hub under test, and the frames it is expected to make.

import type { VmRow } from '../../../src/gateway/fleet/entry.js';
import { Fleet } from '../../../src/gateway/fleet/fleet.js';
import { Hub } from '../../../src/gateway/hub/hub.js';
import {
  createRowProjector,
  type RowProjector,
  type Projection,
} from '../../../src/gateway/hub/projection.js';
import { FleetRecorder, VmRecorder } from './rows.js';

/** A hub that counts its flush requests and records the texts that were made. */
export function setUp(maxTombstones = 100) {
  const fleet = new Fleet('e', maxTombstones);
  const made: string[] = [];
  const text = createRowProjector(['hostname', 'version']);
  const rowText: RowProjector = (entry, projection) => {
    made.push(`${projection} ${entry.hostname}`);
    return text(entry, projection);
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
    subscribeToVm: (...args: ConstructorParameters<typeof VmRecorder>) => {
      const subscriber = new VmRecorder(...args);
      hub.subscribeToVm(subscriber);
      return subscriber;
    },
    subscribeToFleet: (
      projection: Projection = 'full',
      offset = fleet.head,
      onPush?: () => void,
    ) => {
      const subscriber = new FleetRecorder(projection, offset, onPush);
      hub.subscribeToFleet(subscriber);
      return subscriber;
    },
  };
}

/** A frame of changes. */
export const changes = (cursor: string, ...expected: unknown[]): string =>
  JSON.stringify({ type: 'changes', changes: expected, cursor });
export const upserted = (row: VmRow): unknown => ({
  op: 'upsert',
  vm: JSON.parse(row.row) as unknown,
});
