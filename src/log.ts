// What may stand in a log. A secret, a token, a row, or a piece of one (but its hostname, who an agent is) never does, at
// any level: of an error only fields that cannot hold one are taken, of a request nothing.

/** Fields of errors, of pg's, of Node's and of Fastify's, that name things and never quote values. */
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

/** A failure's causes; deeper ones are left out. */
const MAX_CAUSES = 4;

/**
 * The classes of PostgreSQL's errors (appendix A) that speak of connections, rights, transactions, names, resources, limits
 * and the server itself. Messages of all others may quote the value that was wrong, or say what somebody's function raises
 * under a code that it chose.
 */
const SPEAKING_CODE = /^(08|25|28|3D|40|42|53|54|55|57)[0-9A-Z]{3}$/;

/** Where PL/pgSQL's RAISE comes from: its text is somebody's, whatever its code. */
const RAISE_ROUTINE = 'exec_stmt_raise';

/**
 * An error as it is logged. What PostgreSQL says beside its message (`detail`, `where`, `hint`, the query) quotes rows,
 * and what Node's parser says of a bad request is the request: they stay out because they are not in the list.
 */
export function loggedError(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return { type: typeof error };
  const fields = new Map<string, unknown>(Object.entries(error));
  const logged: Record<string, unknown> = { type: error.name };
  for (const name of FIELDS) if (fields.has(name)) logged[name] = fields.get(name);
  logged.message = mayQuote(error, fields) ? '(may quote a value)' : error.message;
  logged.stack = framesOf(error);
  if (error.cause !== undefined && depth < MAX_CAUSES)
    logged.cause = loggedError(error.cause, depth + 1);
  return logged;
}

/**
 * A SyntaxError is JSON.parse's, which quotes the text. What has a severity is PostgreSQL's; where it names an internal
 * query, a function put the statement together, and its syntax error may be a row's.
 */
function mayQuote(error: Error, fields: ReadonlyMap<string, unknown>): boolean {
  if (!fields.has('severity')) return error instanceof SyntaxError;
  return (
    !SPEAKING_CODE.test(String(fields.get('code'))) ||
    fields.get('routine') === RAISE_ROUTINE ||
    fields.get('internalQuery') !== undefined
  );
}

/** The stack without the message that V8 puts before it. */
function framesOf({ stack = '' }: Error): string {
  const at = /^ {4}at /m.exec(stack);
  return at === null ? '' : stack.slice(at.index);
}

/** How pino writes what it is given under these names. */
export const LOG_SERIALIZERS = {
  err: loggedError,
  req: () => undefined,
};
