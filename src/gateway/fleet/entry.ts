// The fleet's entries: a hostname's row or its deletion, and its agent's presence. Readers may keep
// entries, because what an entry says about its row or agent never changes.

/** A VM as the table last showed it. */
export interface VmEntry {
  readonly kind: 'vm';
  readonly hostname: string;
  /** Orders the changes of this hostname; 0 if the row has no version. */
  readonly version: number;
  readonly status: string;
  /** The identity of the VM's assignment; null if it has none. */
  readonly assignmentId: string | null;
  /** The row's JSON text, as PostgreSQL wrote it. */
  readonly row: string;
  /** The position in the fleet's log, 1 or more. */
  readonly offset: number;
  /** `row` reduced to a dashboard's columns; undefined until a dashboard first needs it. */
  dashboardRow: string | undefined;
}

/** A tombstone: the hostname has no row. */
export interface DeletedEntry {
  readonly kind: 'deleted';
  readonly hostname: string;
  /** The highest version that could exist when the row was found missing; only later rows apply. */
  version: number;
  /** The position in the fleet's log, 1 or more. */
  readonly offset: number;
}

/** The row of a hostname as the table last showed it, or its tombstone. */
export type RowEntry = VmEntry | DeletedEntry;

/** The presence of a hostname's agent, whether the hostname has a row or not. */
export interface PresenceEntry {
  readonly kind: 'presence';
  readonly hostname: string;
  /** The presence's JSON text; undefined in a tombstone: the database has no presence any more. */
  readonly presence: string | undefined;
  readonly online: boolean;
  /** The position in the fleet's log, 1 or more. */
  readonly offset: number;
}

export type FleetEntry = RowEntry | PresenceEntry;

/**
 * Whether the entry is a tombstone: it says that a row or a presence no longer exists. Snapshots
 * leave tombstones out, and the fleet prunes the oldest.
 */
export function isTombstone(entry: FleetEntry): boolean {
  return entry.kind === 'deleted' || (entry.kind === 'presence' && entry.presence === undefined);
}

/** A row from a read or a notification, before the fleet gives it an offset. */
export interface VmRow {
  readonly hostname: string;
  /** 0 if the row has no version. */
  readonly version: number;
  readonly status: string;
  readonly assignmentId: string | null;
  /** The row's JSON text. */
  readonly row: string;
}

/** An agent's presence from a read, before the fleet gives it an offset. */
export interface PresenceRow {
  readonly hostname: string;
  readonly online: boolean;
  /** The presence's JSON text, an object. */
  readonly presence: string;
}
