// Converts every error of a request to a problem with a code. The text of a database error is
// logged and never sent.

import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { isConnectionError, isReadOnlyError } from '../../../postgres/errors.js';
import { HostnameRejection } from '../../database/new-hostname.js';
import { isQueueFull } from '../../database/notification-queue.js';
import { OverloadError } from '../../database/shared-pool.js';
import { findRuleViolation, type RuleViolation } from '../../database/rule-violation.js';
import { UnreadableRowError } from '../../database/unreadable-row.js';
import { PROBLEMS, sendProblem, type ProblemCode } from './problem.js';
import type { RepeatedWarnings } from '../../stale/repeated-warnings.js';

/** The problem codes of errors from Fastify and its plugins, by status. */
const CODE_BY_STATUS: Readonly<Record<number, ProblemCode>> = {
  404: 'not_found',
  408: 'request_timeout',
  413: 'body_too_large',
  414: 'uri_too_long',
  415: 'unsupported_media_type',
  416: 'range_not_satisfiable',
  429: 'rate_limited',
};

/** SQLSTATEs: lock not available, deadlock, serialization failure and statement timeout. */
const DATABASE_BUSY = /^(55P03|40P01|40001|57014)$/;
/**
 * SQLSTATEs of a schema that is not the migrations': a table, column, function, right or schema is
 * missing, is of another type or kind, is not in the state that a change needs, or a sequence has
 * no number left.
 */
const SCHEMA_MISMATCH = /^(42P01|42703|42883|42501|42804|42809|3F000|55000|2200H)$/;
/**
 * SQLSTATE class "data exception": a value that passed the schema, and that PostgreSQL cannot
 * store.
 */
const BAD_VALUE = /^22[0-9A-Z]{3}$/;

/** Sends the problem for an error of a request. */
export type HandleError = (
  error: FastifyError,
  request: FastifyRequest,
  reply: FastifyReply,
) => void;

/** Creates the handler of errors. */
export function createErrorHandler(warnings: RepeatedWarnings): HandleError {
  return (error, request, reply) => handleError(warnings, error, request, reply);
}

function handleError(
  warnings: RepeatedWarnings,
  error: FastifyError,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  const warn = (message: string): void => warnings.warn(request.log, { err: error }, message);
  // The rules of others are about changes; a function that fails a read is a defect.
  const isRead = request.method === 'GET' || request.method === 'HEAD';
  const violation = isRead ? undefined : findRuleViolation(error);
  if (error.statusCode !== undefined && error.statusCode < 500) {
    if (error.statusCode === 415) announceMediaType(request, reply);
    if (error.statusCode === 416) announceSize(error, reply);
    sendProblem(reply, CODE_BY_STATUS[error.statusCode] ?? 'invalid_request', error.message);
  } else if (error instanceof HostnameRejection) {
    const isSimilar = error.reason === 'similar';
    sendProblem(reply, isSimilar ? 'similar_hostname' : 'invalid_hostname', error.message);
  } else if (error instanceof UnreadableRowError) {
    sendProblem(reply, 'unreadable_row', PROBLEMS.unreadable_row.when);
  } else if (violation !== undefined) {
    request.log.info(
      { err: error, ...violation.names },
      'a rule of the database rejected a change',
    );
    sendViolation(reply, violation);
  } else if (isReadOnlyError(error)) {
    warn('the database takes no writes');
    const detail = 'The database takes no writes now, as on a standby; `/health/ready` says why.';
    sendProblem(reply, 'database_read_only', detail);
  } else if (error instanceof OverloadError) {
    warn('a request waited in vain for a database connection');
    sendProblem(reply, 'database_busy', 'Too many requests wait for the database; try again.');
  } else if (isConnectionError(error)) {
    warn('the database did not answer');
    sendProblem(reply, 'database_unavailable', 'The database does not answer; try again.');
  } else if (isQueueFull(error)) {
    request.log.error({ err: error }, 'the notification queue is full');
    sendProblem(
      reply,
      'database_busy',
      'The notification queue of the database is full; try again.',
    );
  } else if (DATABASE_BUSY.test(error.code)) {
    warn('the database was busy');
    sendProblem(reply, 'database_busy', 'Another transaction has locked the data; try again.');
  } else if (SCHEMA_MISMATCH.test(error.code)) {
    warn('the schema is not as the migrations made it');
    sendProblem(reply, 'schema_mismatch', PROBLEMS.schema_mismatch.when);
  } else if (BAD_VALUE.test(error.code)) {
    sendProblem(reply, 'invalid_request', 'The database cannot store one of the values.');
  } else {
    request.log.error({ err: error }, 'a request failed');
    sendProblem(reply, 'internal_error', 'The gateway failed; its log has the reason.');
  }
}

/** The header that says which body a method takes (RFC 5789 §2.2, RFC 9110 §15.5.16). */
const ACCEPTED: Readonly<Record<string, string>> = { PATCH: 'Accept-Patch', POST: 'Accept-Post' };

function announceMediaType({ method }: FastifyRequest, reply: FastifyReply): void {
  reply.header(ACCEPTED[method] ?? 'Accept', 'application/json');
  reply.header('Accept-Encoding', 'identity');
}

/** Sends the size of the file, which the plugin for files puts beside the error. */
function announceSize(
  { headers }: FastifyError & { headers?: unknown },
  reply: FastifyReply,
): void {
  if (typeof headers !== 'object' || headers === null) return;
  const size: unknown = Reflect.get(headers, 'Content-Range');
  if (typeof size === 'string') reply.header('Content-Range', size);
}

function sendViolation(reply: FastifyReply, { kind, rule, names }: RuleViolation): void {
  const code = kind === 'conflict' ? 'constraint_conflict' : 'rejected_by_database';
  const detail = `Nothing was changed: ${rule} of the database rejects it.`;
  sendProblem(reply, code, detail, names);
}

/**
 * Sends the problem for an error before routing, such as a URL that is too long or cannot be
 * decoded. No hook runs for such a request, so the socket of an upgrade is closed here; it would
 * otherwise stay open forever.
 */
export function handleErrorBeforeRouting(
  handleError: HandleError,
  error: FastifyError,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  const { socket } = request.raw;
  if (request.raw.headers.upgrade !== undefined) {
    reply.header('Connection', 'close');
    reply.raw.once('finish', () => socket.destroySoon());
  }
  handleError(error, request, reply);
}
