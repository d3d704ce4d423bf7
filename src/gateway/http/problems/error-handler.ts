// What becomes of a request that failed: a problem with its code, whoever refused it. What the database says of itself
// goes to the log, and to nobody else.

import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { isConnectionError } from '../../../postgres/errors.js';
import { isQueueFull } from '../../database/notification-queue.js';
import { sendProblem, type ProblemCode } from './problem.js';

/** What Fastify, its plugins and Node refuse by themselves, by status. */
const CODE_BY_STATUS: Readonly<Record<number, ProblemCode>> = {
  404: 'not_found',
  408: 'request_timeout',
  413: 'body_too_large',
  414: 'uri_too_long',
  415: 'unsupported_media_type',
  429: 'rate_limited',
};

/** Lock not available, deadlock, serialization failure, and a statement that took too long. */
const DATABASE_BUSY = /^(55P03|40P01|40001|57014)$/;
/** "Data exception": a value that PostgreSQL cannot take, though a schema let it pass. */
const BAD_VALUE = /^22[0-9A-Z]{3}$/;

export function handleError(
  error: FastifyError,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  if (error.statusCode !== undefined && error.statusCode < 500) {
    sendProblem(reply, CODE_BY_STATUS[error.statusCode] ?? 'invalid_request', error.message);
  } else if (isConnectionError(error)) {
    request.log.warn({ err: error }, 'the database did not answer');
    sendProblem(reply, 'database_unavailable', 'The database does not answer; try again.');
  } else if (isQueueFull(error)) {
    request.log.error({ err: error }, 'the queue of notifications is full');
    sendProblem(reply, 'database_busy', 'The database can announce no change now; try again.');
  } else if (DATABASE_BUSY.test(error.code)) {
    request.log.warn({ err: error }, 'the database was busy');
    sendProblem(reply, 'database_busy', 'Others hold what was asked for; try again.');
  } else if (BAD_VALUE.test(error.code)) {
    sendProblem(reply, 'invalid_request', 'The database cannot take one of the values.');
  } else {
    request.log.error({ err: error }, 'a request failed');
    sendProblem(reply, 'internal_error', 'The gateway failed; its log says why.');
  }
}

/**
 * A URL that is too long, or cannot be decoded, is refused before there is a route, and so without hooks: the socket
 * of an upgrade is nobody's then, and would stay open for ever.
 */
export function handleErrorBeforeRouting(
  error: FastifyError,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  const { socket } = request.raw;
  if (request.raw.headers.upgrade !== undefined)
    reply.raw.once('finish', () => socket.destroySoon());
  handleError(error, request, reply);
}
