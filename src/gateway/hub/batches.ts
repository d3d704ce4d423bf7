// Reads the fleet's log in batches that each fit one frame, and formats them. Flushes, resumes,
// snapshots and lagging subscribers all use these batches.

import type { FleetEntry, PresenceEntry, VmEntry } from '../fleet/entry.js';
import { formatCursor } from '../fleet/cursor.js';
import type { Fleet } from '../fleet/fleet.js';
import {
  changesFrame,
  deleteChange,
  forgetChange,
  presenceChange,
  snapshotFrame,
  upsertChange,
} from '../../protocol/frames.js';

/** Consecutive entries of the log that are sent in one frame. */
export interface EntryBatch {
  readonly epoch: string;
  readonly entries: readonly FleetEntry[];
  /** The offset that a client is complete up to after this batch, and where the next one begins. */
  readonly to: number;
}

/**
 * The most bytes of UTF-8 that a frame has, unless a single row has more; such a row is sent alone.
 * Some clients refuse larger messages. The limit keeps the memory of a slow client small and is
 * large enough that the cost of a frame does not show.
 */
export const MAX_FRAME_BYTES = 32 * 1024;

/** The most bytes of a frame besides its changes: the names, and a cursor of 81 characters. */
const MAX_ENVELOPE_BYTES = 256;
export const MAX_BATCH_BYTES = MAX_FRAME_BYTES - MAX_ENVELOPE_BYTES;

/** Bytes that a change has in addition to its row or presence. */
const CHANGE_OVERHEAD_BYTES = 32;

/**
 * Reads the next batch after offset `from`. Called for each frame of a flush or a catch-up.
 * @param limit the offset at which the batch ends at the latest.
 */
export function readBatch(fleet: Fleet, from: number, limit: number): EntryBatch {
  const entries: FleetEntry[] = [];
  let bytes = 0;
  for (const entry of fleet.entriesAfter(from)) {
    if (entry.offset > limit) break;
    bytes += CHANGE_OVERHEAD_BYTES + measureEntry(entry);
    if (bytes > MAX_BATCH_BYTES && entries.length > 0) {
      return { epoch: fleet.epoch, entries, to: entry.offset - 1 };
    }
    entries.push(entry);
  }
  return { epoch: fleet.epoch, entries, to: limit };
}

/** The number of bytes of the longest part of the entry's change. */
function measureEntry(entry: FleetEntry): number {
  if (entry.kind === 'vm') return Buffer.byteLength(entry.row);
  if (entry.kind === 'deleted') return Buffer.byteLength(deleteChange(entry.hostname));
  return Buffer.byteLength(entry.presence ?? forgetChange(entry.hostname));
}

/**
 * Formats the batch as a `changes` message.
 * @param text returns the JSON text of a row as the client may see it.
 */
export function formatChanges(batch: EntryBatch, text: (entry: VmEntry) => string): string {
  const changes = batch.entries.map((entry) => {
    switch (entry.kind) {
      case 'vm':
        return upsertChange(text(entry));
      case 'deleted':
        return deleteChange(entry.hostname);
      case 'presence':
        return formatPresenceChange(entry);
    }
  });
  return changesFrame(changes, formatCursor(batch.epoch, batch.to));
}

function formatPresenceChange({ hostname, presence }: PresenceEntry): string {
  return presence === undefined ? forgetChange(hostname) : presenceChange(presence);
}

/**
 * Formats the batch as one `snapshot` message. Tombstones are left out: the client has no earlier
 * state from which anything must be removed.
 * @param last whether this message completes the snapshot; only then does it carry a cursor.
 * @param text returns the JSON text of a row as the client may see it.
 */
export function formatSnapshot(
  batch: EntryBatch,
  last: boolean,
  text: (entry: VmEntry) => string,
): string {
  const rows = batch.entries.filter((entry) => entry.kind === 'vm').map(text);
  const presence = batch.entries.flatMap((entry) =>
    entry.kind === 'presence' && entry.presence !== undefined ? [entry.presence] : [],
  );
  return snapshotFrame(rows, presence, last ? formatCursor(batch.epoch, batch.to) : undefined);
}
