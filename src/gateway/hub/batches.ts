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
 * How many characters of changes a batch holds at most; a larger row is sent alone. The limit keeps
 * the memory of a slow client small and is large enough that the cost of a frame does not show.
 */
const MAX_BATCH_LENGTH = 64 * 1024;

/** Characters that a change has in addition to its row, presence or hostname. */
const CHANGE_OVERHEAD = 32;

/**
 * Reads the next batch after offset `from`. Called for each frame of a flush or a catch-up.
 * @param limit the offset at which the batch ends at the latest.
 */
export function readBatch(fleet: Fleet, from: number, limit: number): EntryBatch {
  const entries: FleetEntry[] = [];
  let length = 0;
  for (const entry of fleet.entriesAfter(from)) {
    if (entry.offset > limit) break;
    length += CHANGE_OVERHEAD + measureEntry(entry);
    if (length > MAX_BATCH_LENGTH && entries.length > 0) {
      return { epoch: fleet.epoch, entries, to: entry.offset - 1 };
    }
    entries.push(entry);
  }
  return { epoch: fleet.epoch, entries, to: limit };
}

/** The number of characters of the longest part of the entry's change. */
function measureEntry(entry: FleetEntry): number {
  if (entry.kind === 'vm') return entry.row.length;
  const presence = entry.kind === 'presence' ? entry.presence : undefined;
  return (presence ?? entry.hostname).length;
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
