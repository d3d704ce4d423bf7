// Describes the problems that a route may answer, for its schema and the OpenAPI document.

import { Type } from 'typebox';
import { createProblemSchema, PROBLEMS, PROBLEM_TYPE, type ProblemCode } from './problem.js';
import { EtagHeader } from '../schemas/shared.js';

/** Describes the problems of a route: those of every route, and `codes`. */
export function describeProblems(...codes: ProblemCode[]): Record<number, object> {
  return describeByStatus([...EVERYWHERE, ...codes]);
}

/** Describes the problems of a route that uses no database and is served until the end. */
export function describeTokenProblems(): Record<number, object> {
  return describeByStatus(WITH_A_TOKEN);
}

/** Describes the problems of a route with a body that needs no token, and `codes`. */
export function describePublicProblems(...codes: ProblemCode[]): Record<number, object> {
  return describeByStatus([...PUBLIC, ...codes]);
}

function describeByStatus(codes: readonly ProblemCode[]): Record<number, object> {
  const byStatus = new Map<number, ProblemCode[]>();
  for (const code of codes) {
    const { status } = PROBLEMS[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, some]) => [status, describeProblem(status, some)]),
  );
}

/** Describes the response for the problems of one status. */
export function describeProblem(status: number, codes: readonly ProblemCode[]): object {
  const headers = HEADERS[status];
  return {
    description: codes.map((code) => `\`${code}\`: ${PROBLEMS[code].when}`).join(' '),
    content: { [PROBLEM_TYPE]: { schema: createProblemSchema(codes) } },
    ...(headers === undefined ? {} : { headers }),
  };
}

const RetryAfter = Type.Integer({ description: 'When to try again, in seconds.' });
const Challenge = Type.String({ description: 'The challenge for a bearer token (RFC 6750 §3).' });

/** The headers of every problem, by status. */
const HEADERS: Readonly<Record<number, object>> = {
  401: { 'WWW-Authenticate': Challenge },
  412: { ETag: EtagHeader },
  429: { 'Retry-After': RetryAfter },
  503: { 'Retry-After': RetryAfter },
};

/**
 * The problems of every method except GET: a body is validated even if none is expected, the
 * database must take writes, and its owner may have rules of their own.
 */
export const WRITE_PROBLEMS = [
  'body_too_large',
  'unsupported_media_type',
  'database_read_only',
  'constraint_conflict',
  'rejected_by_database',
] as const;

/** The problems of a URL with a WebSocket. */
export const UPGRADE_PROBLEMS = [
  'not_ready',
  'origin_not_allowed',
  'invalid_handshake',
  'unsupported_websocket_version',
  'too_many_sockets',
  'too_many_sockets_of_address',
  'too_many_sockets_of_identity',
] as const;

const WITH_A_TOKEN: readonly ProblemCode[] = [
  'invalid_request',
  'token_missing',
  'token_invalid',
  'token_expired',
  'token_not_yet_valid',
  'token_revoked',
  'not_allowed',
  'uri_too_long',
  'rate_limited',
  'internal_error',
];

const PUBLIC: readonly ProblemCode[] = [
  'invalid_request',
  'uri_too_long',
  'body_too_large',
  'unsupported_media_type',
  'internal_error',
  'database_unavailable',
  'database_read_only',
  'database_busy',
  'draining',
];

const EVERYWHERE: readonly ProblemCode[] = [
  ...WITH_A_TOKEN,
  'database_unavailable',
  'schema_mismatch',
  'database_busy',
  'draining',
];
