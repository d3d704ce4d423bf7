// The differences between two versions of a row, for an admin who is about to change it.

import type { WatchedVm } from '../../client/index.js';
import { formatStatus } from './status-labels.js';
import { listChangedColumns, readColumns } from './columns.js';

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
/** Columns that change with every update or never. */
const IGNORED_COLUMNS = ['version', 'updated_at', 'id', 'hostname', 'created_at'];

/**
 * Lists the differences in labels and values.
 * @param after undefined if the row was deleted.
 */
export function listDifferences(before: WatchedVm, after: WatchedVm | undefined): Difference[] {
  if (after === undefined) return [{ field: 'VM', before: 'exists', after: 'deleted' }];
  const earlier = readColumns(before);
  const later = readColumns(after);
  return listChangedColumns(before, after)
    .filter((name) => !IGNORED_COLUMNS.includes(name))
    .map((name) => ({
      field: LABELS[name] ?? name,
      before: formatValue(name, earlier.get(name), 'old value'),
      after: formatValue(name, later.get(name), 'new value'),
    }));
}

/** Hides commands, which may contain a one-time code: only that they changed is shown. */
function formatValue(name: string, value: unknown, hidden: string): string {
  if (value === null || value === undefined) return 'none';
  if (name === 'crd_command' || name === 'assignment_id') return hidden;
  if (typeof value !== 'string') return JSON.stringify(value);
  return name === 'status' ? formatStatus(value) : value;
}
