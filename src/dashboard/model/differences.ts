// What of a row changed between two of its versions, in words for the person who is about to change it.

import type { WatchedVm } from '../../client/index.js';
import { changedColumns, columnsOf } from './columns.js';

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
const PASSED_OVER = ['version', 'updated_at', 'id', 'hostname', 'created_at'];

/** @param after undefined for a row that is gone. */
export function differences(before: WatchedVm, after: WatchedVm | undefined): Difference[] {
  if (after === undefined) return [{ field: 'VM', before: 'there', after: 'deleted' }];
  const [earlier, later] = [columnsOf(before), columnsOf(after)];
  return changedColumns(before, after)
    .filter((name) => !PASSED_OVER.includes(name))
    .map((name) => ({
      field: LABELS[name] ?? name,
      before: textOf(name, earlier.get(name), 'the old one'),
      after: textOf(name, later.get(name), 'a new one'),
    }));
}

/** A command may hold somebody's code: that it changed is enough. */
function textOf(name: string, value: unknown, hidden: string): string {
  if (value === null || value === undefined) return 'none';
  if (name === 'crd_command' || name === 'assignment_id') return hidden;
  return typeof value === 'string' ? value : JSON.stringify(value);
}
