// Where a page of VMs ended, as the text that a client gives back in `after`: `17`, or `17@2026-03-02T09:30:00.123456` in
// an order of time. Clients need not read it.

import type { Position, Sort } from '../../database/vms.js';

/** What to_json writes of a timestamp. Whether the day exists is for PostgreSQL to say. */
const POSITION =
  /^(0|[1-9]\d{0,9})(?:@(-?infinity|\d{4,6}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?: BC)?))?$/;

const MAX_ID = 2 ** 31 - 1;

export function formatPosition({ id, time }: Position): string {
  return time === undefined ? String(id) : `${id}@${time}`;
}

/** Null for a text that is no position in this order. */
export function parsePosition(text: string, sort: Sort): Position | null {
  const [, id, time] = POSITION.exec(text) ?? [];
  if (id === undefined || Number(id) > MAX_ID) return null;
  if ((time === undefined) !== (sort === 'id')) return null;
  return { id: Number(id), time };
}
