// Formats and parses the end of a page of VMs, which a client sends back as `after`: `17` or, if
// the list is sorted by time, `17@2026-03-02T09:30:00.123456`. It is opaque for clients.

import type { Position, Sort } from '../../database/vms.js';

/** A timestamp as `to_json` writes it. PostgreSQL checks whether the day exists. */
const POSITION =
  /^(0|[1-9]\d{0,9})(?:@(-?infinity|\d{4,6}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?: BC)?))?$/;

const MAX_ID = 2 ** 31 - 1;

/** Formats a position as the text of `after`. */
export function formatPosition({ id, time }: Position): string {
  return time === undefined ? String(id) : `${id}@${time}`;
}

/**
 * Parses the text of `after`.
 * @returns null if it is not a position of this sort order
 */
export function parsePosition(text: string, sort: Sort): Position | null {
  const [, id, time] = POSITION.exec(text) ?? [];
  if (id === undefined || Number(id) > MAX_ID) return null;
  if ((time === undefined) !== (sort === 'id')) return null;
  return { id: Number(id), time };
}
