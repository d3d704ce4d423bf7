// What may stand in a log. A secret, a token, a row, or a piece of one never does, at any level: of an error only
// fields that cannot hold one are taken, of a request nothing.

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
 * PostgreSQL's classes "data exception" and "PL/pgSQL error" (appendix A): messages of these quote the value that was
 * wrong, or say what somebody's function raises.
 */
const QUOTING_CODE = /^(22|P0)[0-9A-Z]{3}$/;

/**
 * An error as it is logged. What PostgreSQL says beside its message (`detail`, `where`, `hint`, the query) quotes rows,
 * and what Node's parser says of a bad request is the request: they stay out because they are not in the list.
 */
export function loggedError(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return { type: typeof error };
  const fields = new Map<string, unknown>(Object.entries(error));
  const logged: Record<string, unknown> = { type: error.name };
  for (const name of FIELDS) if (fields.has(name)) logged[name] = fields.get(name);
  logged.message = mayQuote(error, fields.get('code')) ? '(may quote a value)' : error.message;
  logged.stack = framesOf(error);
  if (error.cause !== undefined && depth < MAX_CAUSES)
    logged.cause = loggedError(error.cause, depth + 1);
  return logged;
}

/** A SyntaxError is JSON.parse's, which quotes the text. */
function mayQuote(error: Error, code: unknown): boolean {
  return error instanceof SyntaxError || (typeof code === 'string' && QUOTING_CODE.test(code));
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
