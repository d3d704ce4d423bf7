// Decides what an error means for one VM of a request that changes many: a rule of the database or
// a lock refuses this VM only, and any other error ends the request.

import { findRuleViolation } from '../../database/rule-violation.js';
import { UnreadableRowError } from '../../database/unreadable-row.js';
import { PROBLEMS, type ProblemCode } from './problem.js';

/** SQLSTATEs: lock not available, deadlock, serialization failure and statement timeout. */
const BUSY = /^(55P03|40P01|40001|57014)$/;

export interface BulkRefusal {
  readonly code: ProblemCode;
  readonly detail: string;
}

/** @returns undefined if the error is not about the VM. */
export function findBulkRefusal(error: unknown): BulkRefusal | undefined {
  if (error instanceof UnreadableRowError)
    return { code: 'unreadable_row', detail: PROBLEMS.unreadable_row.when };
  const violation = findRuleViolation(error);
  if (violation !== undefined) {
    const code = violation.kind === 'conflict' ? 'constraint_conflict' : 'rejected_by_database';
    return { code, detail: `Nothing was changed: ${violation.rule} of the database rejects it.` };
  }
  const isBusy = error instanceof Error && 'code' in error && BUSY.test(String(error.code));
  if (!isBusy) return undefined;
  return { code: 'database_busy', detail: 'Another transaction has locked the VM; try again.' };
}
