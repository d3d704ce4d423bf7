// Errors in the log: their kind and place, never the content of a row or a request.

import t from 'tap';
import { pino } from 'pino';
import pg from 'pg';
import { LOG_SERIALIZERS, loggedError } from '../src/log.js';

const SECRET = 'planted-secret';

function logged(error: unknown): string {
  const lines: string[] = [];
  const log = pino({ serializers: LOG_SERIALIZERS }, { write: (line) => lines.push(line) });
  log.error({ err: error, req: { url: `/?token=${SECRET}` } }, 'it failed');
  return lines.join('');
}

/** An error as PostgreSQL sends it, with something in every field that can quote. */
function databaseError(code: string, message: string, more: Partial<pg.DatabaseError> = {}): Error {
  const error = new pg.DatabaseError(message, 1, 'error');
  return Object.assign(error, {
    code,
    severity: 'ERROR',
    detail: `Failing row contains (${SECRET}).`,
    hint: SECRET,
    where: `SQL statement "${SECRET}"`,
    dataType: SECRET,
    table: 'vms',
    constraint: 'vms_check',
    routine: 'ExecConstraints',
    ...more,
  });
}

t.test('of what PostgreSQL says the names stay, and what quotes rows goes', async (t) => {
  const line = logged(databaseError('42501', 'permission denied for table vms'));
  t.notMatch(line, SECRET);
  t.match(JSON.parse(line), {
    msg: 'it failed',
    err: {
      type: 'error',
      code: '42501',
      severity: 'ERROR',
      message: 'permission denied for table vms',
      table: 'vms',
      constraint: 'vms_check',
      routine: 'ExecConstraints',
      stack: /^ {4}at .*log\.test\.ts/,
    },
  });
});

t.test('a message that quotes the value goes too, and the stack that repeats it', async (t) => {
  for (const [code, message, more] of [
    ['22P02', `invalid input syntax for type integer: "${SECRET}"`],
    ['P0001', `no ${SECRET} here`],
    ['45000', `no ${SECRET} here`],
    ['23514', `no ${SECRET} here`],
    ['42000', `no ${SECRET} here`, { routine: 'exec_stmt_raise' }],
    ['42601', `syntax error at or near "${SECRET}"`, { internalQuery: `SELECT ${SECRET}` }],
  ] as const) {
    const line = logged(databaseError(code, message, more));
    t.notMatch(line, SECRET);
    t.match(line, code);
  }
  let syntax: unknown;
  try {
    JSON.parse(SECRET);
  } catch (error) {
    syntax = error;
  }
  t.match(String(syntax), 'planted');
  t.notMatch(logged(syntax), 'planted');
});

t.test('what Node keeps of a request that cannot be read goes', async (t) => {
  const rawPacket = Buffer.from(`GET / HTTP/1.1\r\nAuthorization: Bearer ${SECRET}`);
  const error = Object.assign(new Error('Parse Error'), { code: 'HPE_INVALID', rawPacket });
  t.notMatch(logged(error), /rawPacket|71,69,84/);
  t.match(logged(error), 'HPE_INVALID');
});

t.test('causes are told in the same way, and not without end', async (t) => {
  const cause = databaseError('22P02', SECRET);
  const line = logged(new Error('cannot listen', { cause }));
  t.notMatch(line, SECRET);
  t.match(JSON.parse(line), { err: { message: 'cannot listen', cause: { code: '22P02' } } });
  const endless = new Error('endless');
  endless.cause = endless;
  t.match(logged(endless), 'endless');
});

t.test('what is thrown and is no error is not shown', async (t) => {
  t.same(loggedError(SECRET), { type: 'string' });
  t.same(loggedError({ token: SECRET }), { type: 'object' });
  const bare = new Error('no stack');
  delete bare.stack;
  t.match(loggedError(bare), { message: 'no stack', stack: '' });
});
