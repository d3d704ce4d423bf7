// The walk over the fleet's log in pieces that each fit a frame: the same for a flush, a resume, a snapshot and
// a slow reader.

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

/** Entries of one walk that stand together, and where the next piece begins. */
export interface Batch {
  readonly epoch: string;
  readonly entries: readonly FleetEntry[];
  /** The offset up to which a reader of this piece knows everything. */
  readonly to: number;
}

/**
 * How many characters of changes a piece holds at most; a row larger than that travels alone. Small enough that a
 * slow reader holds little, large enough that a frame's own cost does not show.
 */
const MAX_BATCH_LENGTH = 64 * 1024;

/** What a change costs beside its row or hostname: nothing to a row, most of it to a deletion. */
const CHANGE_OVERHEAD = 32;

/** The piece after offset `from`, ending at `limit` at the latest. */
export function readBatch(fleet: Fleet, from: number, limit: number): Batch {
  const entries: FleetEntry[] = [];
  let length = 0;
  for (const entry of fleet.entriesAfter(from)) {
    if (entry.offset > limit) break;
    length += CHANGE_OVERHEAD + measureEntry(entry).length;
    if (length > MAX_BATCH_LENGTH && entries.length > 0) {
      return { epoch: fleet.epoch, entries, to: entry.offset - 1 };
    }
    entries.push(entry);
  }
  return { epoch: fleet.epoch, entries, to: limit };
}

/** The longest part of what an entry becomes. */
function measureEntry(entry: FleetEntry): string {
  if (entry.kind === 'vm') return entry.row;
  return (entry.kind === 'presence' ? entry.presence : undefined) ?? entry.hostname;
}

/** The piece as a `changes` message. */
export function formatChanges(piece: Batch, text: (entry: VmEntry) => string): string {
  const changes = piece.entries.map((entry) => {
    switch (entry.kind) {
      case 'vm':
        return upsertChange(text(entry));
      case 'deleted':
        return deleteChange(entry.hostname);
      case 'presence':
        return formatPresenceChange(entry);
    }
  });
  return changesFrame(changes, formatCursor(piece.epoch, piece.to));
}

function formatPresenceChange({ hostname, presence }: PresenceEntry): string {
  return presence === undefined ? forgetChange(hostname) : presenceChange(presence);
}

/** The piece as a part of a snapshot, in which a deleted VM is simply not there, and neither is forgotten presence. */
export function formatSnapshot(
  piece: Batch,
  last: boolean,
  text: (entry: VmEntry) => string,
): string {
  const rows = piece.entries.filter((entry) => entry.kind === 'vm').map(text);
  const presence = piece.entries.flatMap((entry) =>
    entry.kind === 'presence' && entry.presence !== undefined ? [entry.presence] : [],
  );
  return snapshotFrame(rows, presence, last ? formatCursor(piece.epoch, piece.to) : undefined);
}
