// Which errors are rules of others, and what is named of them.

import pg from 'pg';
import t from 'tap';
import {
  AlteredWriteError,
  findRuleViolation,
} from '../../../src/gateway/database/rule-violation.js';

const failed = (fields: Partial<pg.DatabaseError>): pg.DatabaseError =>
  Object.assign(new pg.DatabaseError('secret', 1, 'error'), fields);

t.test('constraints of another row are conflicts, rules about values are rejections', async (t) => {
  for (const code of ['23001', '23503', '23505', '23P01'])
    t.match(findRuleViolation(failed({ code, constraint: 'c' })), {
      kind: 'conflict',
      rule: 'the constraint c',
      names: { constraint: 'c' },
    });
  for (const code of ['23000', '23514'])
    t.match(findRuleViolation(failed({ code, constraint: 'c' })), { kind: 'rejection' });
  t.match(findRuleViolation(failed({ code: '23502', column: 'zone' })), {
    rule: 'NOT NULL of the column zone',
    names: { column: 'zone' },
  });
  t.match(findRuleViolation(new AlteredWriteError('a trigger')), { kind: 'rejection', names: {} });
});

t.test('the function of a trigger is named in every language of the server', async (t) => {
  for (const where of [
    'PL/pgSQL function check_vm() line 3 at RAISE',
    'PL/pgSQL-Funktion check_vm() Zeile 3 bei RAISE',
    'fonction PL/pgSQL check_vm(), ligne 3 à RAISE',
    'SQL statement "SELECT secret(1)"\nPL/pgSQL function check_vm() line 3 at PERFORM',
  ])
    t.match(findRuleViolation(failed({ code: '22012', where })), {
      names: { function: 'check_vm' },
    });
});

t.test('what may succeed later, and defects of the gateway, are no rules', async (t) => {
  const where = 'PL/pgSQL function check_vm() line 3 at RAISE';
  for (const code of ['40001', '40P01', '55P03', '57014', '53100', '08006', '25006', 'XX000'])
    t.equal(findRuleViolation(failed({ code, where })), undefined, code);
  for (const code of ['40001', '55P03'])
    t.equal(
      findRuleViolation(failed({ code, where, routine: 'exec_stmt_raise' })),
      undefined,
      code,
    );
  for (const code of ['42P01', '22012', '42501'])
    t.equal(findRuleViolation(failed({ code })), undefined, code);
  t.equal(findRuleViolation(new Error('23505')), undefined);
});
