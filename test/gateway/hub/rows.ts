// Rows as PostgreSQL would write them, and subscribers that record what the hub pushes.

import type { VmRow } from '../../../src/gateway/fleet/entry.js';
import type { FleetSubscriber, Frame, VmSubscriber } from '../../../src/gateway/hub/hub.js';
import type { Projection } from '../../../src/gateway/hub/projection.js';

/** @param padding characters that make the row large; a dashboard does not see them */
export function vmRow(
  hostname: string,
  version: number,
  padding = '',
  status = 'available',
): VmRow {
  const row = JSON.stringify({
    id: 1,
    hostname,
    email: null,
    status,
    crd_command: padding,
    created_at: '2024-01-01T00:00:00',
    updated_at: '2024-01-01T00:00:00',
    version,
    assignment_id: null,
  });
  return { hostname, version, status, assignmentId: null, row };
}

/** A row whose JSON text has exactly this many characters. */
export function rowOfLength(hostname: string, length: number): VmRow {
  const empty = vmRow(hostname, 1);
  return vmRow(hostname, 1, 'x'.repeat(length - empty.row.length));
}

export class VmRecorder implements VmSubscriber {
  readonly frames: Frame[] = [];
  feedChanges = 0;

  constructor(
    readonly hostname: string,
    readonly projection: Projection,
    private readonly onPush: () => void = () => undefined,
  ) {}

  push(frame: Frame): void {
    this.frames.push(frame);
    this.onPush();
  }

  sendFeedState(): void {
    this.feedChanges++;
  }
}

export class FleetRecorder implements FleetSubscriber {
  readonly frames: Frame[] = [];
  feedChanges = 0;
  /** How often the hub asked it to catch up. */
  catchUps = 0;
  /** A subscriber that is not writable keeps its offset. */
  isWritable = true;

  constructor(
    readonly projection: Projection,
    public offset: number,
    private readonly onPush: () => void = () => undefined,
  ) {}

  push(frame: Frame, to: number): void {
    if (!this.isWritable) return;
    this.offset = to;
    this.frames.push(frame);
    this.onPush();
  }

  catchUp(): void {
    this.catchUps++;
  }

  sendFeedState(): void {
    this.feedChanges++;
  }

  texts(): string[] {
    return this.frames.map((frame) => Buffer.from(frame).toString());
  }
}
