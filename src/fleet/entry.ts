// What the fleet knows of one hostname: its row, or that it was deleted. Readers may keep entries: what they tell never changes.

/** A VM as the table last showed it. */
export interface VmEntry {
  readonly kind: 'vm';
  readonly hostname: string;
  /** Orders the changes of this hostname; 0 for a row that has none. */
  readonly version: number;
  readonly status: string;
  /** The row's JSON text, as PostgreSQL made it. */
  readonly row: string;
  /** Where in the fleet's log this was learned. */
  readonly offset: number;
  /** `row` cut down to a dashboard's columns; made once, when a dashboard first sees it. */
  dashboardRow: string | undefined;
}

/** A marker: this hostname has no row. */
export interface Deletion {
  readonly kind: 'deleted';
  readonly hostname: string;
  /** The highest version that could exist when the row was found missing: older news is doubtful. */
  version: number;
  readonly offset: number;
}

export type Entry = VmEntry | Deletion;

/** A row as it was read or heard, before the fleet gives it an offset. */
export interface Row {
  readonly hostname: string;
  readonly version: number;
  readonly status: string;
  readonly row: string;
}
