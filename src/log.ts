// The limits of the log. At no level does it contain a secret, a token, a row, or a part of a row
// except its hostname. An error is logged by the fields that cannot hold one of these; a request is
// not logged.

/** Fields of the errors of pg, Node and Fastify that name things and never quote values. */
const FIELDS = [
  'code',
  'severity',
  'schema',
  'table',
  'column',
  'constraint',
  'routine',
  'syscall',
  'address',
  'port',
  'statusCode',
] as const;

/** The number of nested causes that are logged; deeper ones are left out. */
const MAX_CAUSES = 4;

/**
 * The classes of PostgreSQL's errors (appendix A) about connections, rights, transactions, names,
 * resources, limits and the server itself. Messages of all other classes may quote the wrong value,
 * or carry the text of a function that raised its own error.
 */
const SAFE_CODE = /^(08|25|28|3D|40|42|53|54|55|57)[0-9A-Z]{3}$/;

/**
 * The routine behind PL/pgSQL's RAISE: its text comes from a function's author, whatever its code.
 */
const RAISE_ROUTINE = 'exec_stmt_raise';

/**
 * Returns the error as it is logged. PostgreSQL's other texts (`detail`, `where`, `hint`, the
 * query) quote rows, and the text of Node's parser about a bad request is the request: the list of
 * fields leaves them out.
 */
export function loggedError(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return { type: typeof error };
  const fields = new Map<string, unknown>(Object.entries(error));
  const logged: Record<string, unknown> = { type: error.name };
  for (const name of FIELDS) if (fields.has(name)) logged[name] = fields.get(name);
  logged.message = mayQuote(error, fields) ? '(may quote a value)' : error.message;
  logged.stack = readFrames(error);
  if (error.cause !== undefined && depth < MAX_CAUSES)
    logged.cause = loggedError(error.cause, depth + 1);
  return logged;
}

/**
 * Summarizes an error in one line, by the same rules: its message, or its code if the message may
 * quote a value, or is empty. Node's error has no message if a name has several addresses and all
 * fail.
 */
export function summarizeError(error: unknown): string {
  if (!(error instanceof Error)) return `a ${typeof error} was thrown`;
  const fields = new Map<string, unknown>(Object.entries(error));
  const code = typeof fields.get('code') === 'string' ? String(fields.get('code')) : '';
  if (error.message === '' || mayQuote(error, fields)) return `${error.name} ${code}`.trim();
  return error.message.replaceAll(/\s+/g, ' ');
}

/**
 * Whether the message may quote a value. A SyntaxError comes from JSON.parse, which quotes the
 * text. An error with a severity comes from PostgreSQL; if it has an internal query, a function
 * composed the statement, and its syntax error may quote a row.
 */
function mayQuote(error: Error, fields: ReadonlyMap<string, unknown>): boolean {
  if (!fields.has('severity')) return error instanceof SyntaxError;
  return (
    !SAFE_CODE.test(String(fields.get('code'))) ||
    fields.get('routine') === RAISE_ROUTINE ||
    fields.get('internalQuery') !== undefined
  );
}

/** The stack without the message that V8 puts before it. */
function readFrames({ stack = '' }: Error): string {
  const at = /^ {4}at /m.exec(stack);
  return at === null ? '' : stack.slice(at.index);
}

/** How pino writes what it is given under these names. */
export const LOG_SERIALIZERS = {
  err: loggedError,
  req: () => undefined,
};
