// What the fleet knows of one hostname: its row, or that it was deleted; and beside it the presence of its agent. Readers
// may keep entries: what they tell never changes.

/** A VM as the table last showed it. */
export interface VmEntry {
  readonly kind: 'vm';
  readonly hostname: string;
  /** Orders the changes of this hostname; 0 for a row that has none. */
  readonly version: number;
  readonly status: string;
  /** The identity of its assignment, if it has one. */
  readonly assignmentId: string | null;
  /** The row's JSON text, as PostgreSQL made it. */
  readonly row: string;
  /** Where in the fleet's log this was learned. */
  readonly offset: number;
  /** `row` cut down to a dashboard's columns; made once, when a dashboard first sees it. */
  dashboardRow: string | undefined;
}

/** A marker: this hostname has no row. */
export interface DeletedEntry {
  readonly kind: 'deleted';
  readonly hostname: string;
  /** The highest version that could exist when the row was found missing: older news is doubtful. */
  version: number;
  readonly offset: number;
}

/** What the table last showed of a hostname: a row, or none. */
export type RowEntry = VmEntry | DeletedEntry;

/** What is known of a hostname's agent, whether it has a row or not. */
export interface PresenceEntry {
  readonly kind: 'presence';
  readonly hostname: string;
  /** The presence's JSON text; undefined in a marker: nothing is known any more. */
  readonly presence: string | undefined;
  readonly online: boolean;
  readonly offset: number;
}

export type FleetEntry = RowEntry | PresenceEntry;

/** Whether the entry says that something is gone: a snapshot leaves it out, and the oldest of these are dropped. */
export function isTombstone(entry: FleetEntry): boolean {
  return entry.kind === 'deleted' || (entry.kind === 'presence' && entry.presence === undefined);
}

/** A row as it was read or heard, before the fleet gives it an offset. */
export interface VmRow {
  readonly hostname: string;
  readonly version: number;
  readonly status: string;
  readonly assignmentId: string | null;
  readonly row: string;
}

/** The presence of a hostname's agent as it was read. */
export interface PresenceRow {
  readonly hostname: string;
  readonly online: boolean;
  /** JSON text. */
  readonly presence: string;
}
