// The problems that a route may answer, for its schema and so for the document.

import { Type } from 'typebox';
import { createProblemSchema, PROBLEMS, PROBLEM_TYPE, type ProblemCode } from './problem.js';
import { EtagHeader } from '../schemas/shared.js';

/** The answers of problems for a route's schema: those of every route, and these. */
export function describeProblems(...codes: ProblemCode[]): Record<number, object> {
  return describeByStatus([...EVERYWHERE, ...codes]);
}

/** The same for a route that is answered to the end, and asks no database. */
export function describeTokenProblems(): Record<number, object> {
  return describeByStatus(WITH_A_TOKEN);
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

/** One answer for the problems of one status. */
export function describeProblem(status: number, codes: readonly ProblemCode[]): object {
  const headers = HEADERS[status];
  return {
    description: codes.map((code) => `\`${code}\`: ${PROBLEMS[code].when}`).join(' '),
    content: { [PROBLEM_TYPE]: { schema: createProblemSchema(codes) } },
    ...(headers === undefined ? {} : { headers }),
  };
}

const RetryAfter = Type.Integer({ description: 'Seconds after which to ask again.' });
const Challenge = Type.String({ description: 'For a bearer token (RFC 6750 §3).' });

/** The headers that every problem of a status brings. */
const HEADERS: Readonly<Record<number, object>> = {
  401: { 'WWW-Authenticate': Challenge },
  412: { ETag: EtagHeader },
  429: { 'Retry-After': RetryAfter },
  503: { 'Retry-After': RetryAfter },
};

/** Of every method but GET: a body is looked at also where none is asked for. */
export const BODY_PROBLEMS = ['body_too_large', 'unsupported_media_type'] as const;

/** Of a URL with a socket. */
export const UPGRADE_PROBLEMS = [
  'not_ready',
  'origin_not_allowed',
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
  'not_allowed',
  'uri_too_long',
  'rate_limited',
  'internal_error',
];

const EVERYWHERE: readonly ProblemCode[] = [
  ...WITH_A_TOKEN,
  'database_unavailable',
  'database_busy',
  'draining',
];
