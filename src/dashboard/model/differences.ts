// What of a row changed between two of its versions, in words for the person who is about to change it.

import type { WatchedVm } from '../../client/index.js';
import { changedColumns, readColumns } from './columns.js';

export interface Difference {
  readonly field: string;
  readonly before: string;
  readonly after: string;
}

const LABELS: Readonly<Record<string, string>> = {
  status: 'Status',
  email: 'Person',
  crd_command: 'Command',
  assignment_id: 'Assignment',
};
/** Change with everything, and tell nothing. */
const IGNORED_COLUMNS = ['version', 'updated_at', 'id', 'hostname', 'created_at'];

/** @param after undefined for a row that is gone. */
export function listDifferences(before: WatchedVm, after: WatchedVm | undefined): Difference[] {
  if (after === undefined) return [{ field: 'VM', before: 'there', after: 'deleted' }];
  const [earlier, later] = [readColumns(before), readColumns(after)];
  return changedColumns(before, after)
    .filter((name) => !IGNORED_COLUMNS.includes(name))
    .map((name) => ({
      field: LABELS[name] ?? name,
      before: formatValue(name, earlier.get(name), 'the old one'),
      after: formatValue(name, later.get(name), 'a new one'),
    }));
}

/** A command may hold somebody's code: that it changed is enough. */
function formatValue(name: string, value: unknown, hidden: string): string {
  if (value === null || value === undefined) return 'none';
  if (name === 'crd_command' || name === 'assignment_id') return hidden;
  return typeof value === 'string' ? value : JSON.stringify(value);
}
