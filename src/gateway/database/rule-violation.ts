// Recognizes changes that a rule of the database rejects: constraints and triggers of others on
// `vms`. The gateway's own triggers never reject a write, so every such rule is another program's.

import pg from 'pg';

/** A trigger of others drops the row of a write, or stores it under another hostname. */
export class AlteredWriteError extends Error {
  override readonly name = 'AlteredWriteError';
}

/** The rule, by the names that PostgreSQL reports; they never quote a value. */
export interface RuleViolation {
  /**
   * - `conflict`: a unique or exclusion constraint, or a foreign key; another row is in the way.
   * - `rejection`: a check, NOT NULL, or a trigger: the values themselves are not accepted.
   */
  readonly kind: 'conflict' | 'rejection';
  /** In words, for the problem's detail. */
  readonly rule: string;
  /** Undefined where PostgreSQL names none, as for NOT NULL before version 18. */
  readonly names: Partial<Record<'constraint' | 'table' | 'column' | 'function', string>>;
}

/** restrict_violation, foreign_key_violation, unique_violation and exclusion_violation. */
const CONFLICT = /^(23001|23503|23505|23P01)$/;
/** serialization_failure, deadlock_detected, lock_not_available: even if a function raises it. */
const RETRYABLE = /^(40|55P03)/;
/** Errors of connections, transactions, locks, resources and operators: never a rule. */
const TEMPORARY = /^(08|25|40|53|55|57|58|XX)/;
/** The routine behind PL/pgSQL's RAISE, whose SQLSTATE is chosen by the function's author. */
const RAISE_ROUTINE = 'exec_stmt_raise';

/** Returns the rule of others that this error reports; undefined for every other error. */
export function findRuleViolation(error: unknown): RuleViolation | undefined {
  if (error instanceof AlteredWriteError)
    return { kind: 'rejection', rule: error.message, names: {} };
  if (!(error instanceof pg.DatabaseError)) return undefined;
  const { code = '', constraint, table, column, routine } = error;
  if (code.startsWith('23')) {
    const kind = CONFLICT.test(code) ? 'conflict' : 'rejection';
    return {
      kind,
      rule: describeConstraint(error),
      names: omitMissing({ constraint, table, column }),
    };
  }
  if (RETRYABLE.test(code)) return undefined;
  const name = findFunction(error);
  if (routine !== RAISE_ROUTINE && (name === undefined || TEMPORARY.test(code))) return undefined;
  const rule = name === undefined ? 'a trigger' : `the function ${name} of a trigger`;
  return { kind: 'rejection', rule, names: omitMissing({ function: name }) };
}

function describeConstraint({ constraint, column }: pg.DatabaseError): string {
  if (constraint !== undefined) return `the constraint ${constraint}`;
  return column === undefined ? 'a constraint' : `NOT NULL of the column ${column}`;
}

/**
 * Finds the PL/pgSQL function in which the error occurred: the first line of the context names it
 * before its parameters. The context is in the server's language.
 */
function findFunction({ where = '' }: pg.DatabaseError): string | undefined {
  const [innermost = ''] = where.split('\n').filter((line) => line.includes('PL/pgSQL'));
  return /([\p{L}\p{N}_".$]+)\(/u.exec(innermost)?.[1];
}

function omitMissing(names: Record<string, string | undefined>): RuleViolation['names'] {
  return Object.fromEntries(Object.entries(names).filter(([, name]) => name !== undefined));
}
