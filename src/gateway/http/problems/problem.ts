// Defines and sends problems (RFC 9457). Every error over HTTP is one, with a stable `code` for
// programs. All codes are defined here, each with a single status.

import { STATUS_CODES, type ServerResponse } from 'node:http';
import type { FastifyReply } from 'fastify';
import { Type } from 'typebox';

declare module 'fastify' {
  interface FastifyReply {
    /** The code of the problem that was sent; null if the response is not a problem. */
    problem: string | null;
  }
}

interface About {
  readonly status: number;
  /** When the problem is sent, for the document. */
  readonly when: string;
  /** When a client may try again, in seconds. */
  readonly retryAfter?: number;
  /** An example of the additional members of the body. */
  readonly members?: object;
}

/** All problems by code. */
export const PROBLEMS = {
  invalid_request: { status: 400, when: 'A parameter or the body is not as documented.' },
  invalid_hostname: {
    status: 400,
    when: 'The hostname must have 1 to 255 characters without NUL; a new one must have no invisible character.',
  },
  invalid_cursor: { status: 400, when: '`cursor` or `after` is not from this gateway.' },
  unknown_status: {
    status: 400,
    when: 'The status is unknown; `allowed` lists the possible ones.',
    members: { allowed: ['available', 'in-use', 'failed'] },
  },
  contradictory_change: { status: 400, when: 'The requested values contradict each other.' },
  invalid_handshake: {
    status: 400,
    when: 'The key or the subprotocols of the WebSocket handshake are invalid.',
  },
  token_missing: { status: 401, when: 'The request has no bearer token.' },
  token_invalid: { status: 401, when: 'The gateway does not accept the token.' },
  token_expired: { status: 401, when: 'The token has expired.' },
  token_revoked: { status: 401, when: 'The token was revoked before its end.' },
  token_not_yet_valid: { status: 401, when: 'The token is not valid yet.' },
  code_invalid: { status: 403, when: 'The code of the link was used, or is too old.' },
  origin_not_allowed: {
    status: 403,
    when: 'The upgrade is from a page of an origin that is not allowed.',
  },
  not_allowed: { status: 403, when: 'The role of the token does not permit this request.' },
  enrolment_not_allowed: {
    status: 403,
    when: 'The enrolment token does not permit this hostname, or has enrolled its number of VMs.',
  },
  not_found: { status: 404, when: 'The URL does not exist.' },
  vm_not_found: { status: 404, when: 'There is no VM of this hostname.' },
  assignment_not_found: {
    status: 404,
    when: 'No VM has this assignment now or, for a report of its end, the agent never had it.',
  },
  not_enrolled: { status: 404, when: 'This hostname has not enrolled.' },
  method_not_allowed: {
    status: 405,
    when: 'The URL does not support this method; `Allow` lists those that it does.',
  },
  request_timeout: { status: 408, when: 'The request did not arrive in time.' },
  no_vm_available: {
    status: 409,
    when: 'No VM is free; `counts` has the number of VMs of each status.',
    members: { counts: { failed: 1, 'in-use': 11 } },
  },
  assigned_to_another: {
    status: 409,
    when: 'Another person has the VM, and `reassign` is not true.',
  },
  vm_not_in_use: {
    status: 409,
    when: 'The VM is not in use, so it has no person or command to change.',
  },
  similar_hostname: {
    status: 409,
    when: 'Another VM has the new hostname in other upper and lower case.',
  },
  already_enrolled: {
    status: 409,
    when: 'The hostname has enrolled with another `nonce` or without one; an admin may allow it again.',
  },
  agent_online: { status: 409, when: 'An agent of this hostname is online, and has not enrolled.' },
  wrong_count: {
    status: 409,
    when: '`confirm` is not the number of VMs; `count` is.',
    members: { count: 12 },
  },
  constraint_conflict: {
    status: 409,
    when: 'A unique or exclusion constraint or a foreign key of the database rejects the change; `constraint` names it.',
    members: { constraint: 'bookings_vm_id_fkey', table: 'bookings' },
  },
  unreadable_row: {
    status: 409,
    when: 'The row of the VM has a value that is no text; `db doctor` names it. It can be deleted.',
  },
  version_mismatch: {
    status: 412,
    when: '`If-Match` or `If-None-Match` excludes the version of the row; `version` is the current one.',
    members: { version: 18 },
  },
  body_too_large: { status: 413, when: 'The body is larger than 64 KiB.' },
  uri_too_long: { status: 414, when: 'A part of the URL is too long.' },
  unsupported_media_type: {
    status: 415,
    when: 'The body must be JSON, with `Content-Type: application/json`.',
  },
  range_not_satisfiable: {
    status: 416,
    when: 'A file has no byte of the requested `Range`; `Content-Range` has its size.',
  },
  rejected_by_database: {
    status: 422,
    when: 'A check, NOT NULL or a trigger of the database rejects the change; `constraint`, `column` or `function` names it.',
    members: { constraint: 'vms_email_check', table: 'vms' },
  },
  unsupported_websocket_version: {
    status: 426,
    when: 'The version of the WebSocket handshake must be 13.',
  },
  too_many_sockets_of_identity: {
    status: 429,
    when: 'There are too many sockets and waiting requests of this role and `sub`.',
    retryAfter: 5,
  },
  too_many_sockets_of_address: {
    status: 429,
    when: 'There are too many sockets and waiting requests of this address.',
    retryAfter: 5,
  },
  too_many_requests: {
    status: 429,
    when: 'The connection has too many requests without waiting for responses.',
    retryAfter: 1,
  },
  rate_limited: {
    status: 429,
    when: 'There were too many requests of this role and `sub`; `Retry-After` says when to try again.',
  },
  headers_too_large: { status: 431, when: 'The headers are larger than 16 KiB.' },
  internal_error: { status: 500, when: 'The gateway failed; its log has the reason.' },
  cannot_sign: {
    status: 501,
    when: 'The gateway cannot sign tokens, because `JWT_SECRET` is not set.',
  },
  too_many_sockets: {
    status: 503,
    when: 'The gateway has no capacity for another socket or waiting request.',
    retryAfter: 5,
  },
  not_ready: {
    status: 503,
    when: 'The gateway has not read the table, or the list of revoked tokens, yet.',
    retryAfter: 1,
  },
  draining: { status: 503, when: 'The gateway is stopping.', retryAfter: 1 },
  database_unavailable: { status: 503, when: 'The database does not answer.', retryAfter: 1 },
  database_read_only: {
    status: 503,
    when: 'The database takes no writes, because it is a standby or read-only for this role.',
    retryAfter: 5,
  },
  schema_mismatch: {
    status: 503,
    when: 'The database lacks a table, column, function or right that the request needs; `db doctor` says which.',
    retryAfter: 5,
  },
  database_busy: {
    status: 503,
    when: 'Other transactions locked the data for too long, or too many requests wait; nothing was changed.',
    retryAfter: 1,
  },
} as const satisfies Record<string, About>;
export type ProblemCode = keyof typeof PROBLEMS;
export const PROBLEM_CODES = Object.keys(PROBLEMS) as ProblemCode[];

/** The schema of every problem's body. Some codes have additional members. */
const Problem = Type.Object(
  {
    type: Type.Literal('about:blank'),
    title: Type.String({ description: 'The name of the status.' }),
    status: Type.Integer(),
    code: Type.Enum(PROBLEM_CODES, { description: 'A stable code for programs.' }),
    detail: Type.String({ description: 'An explanation for people.' }),
  },
  {
    title: 'Problem',
    additionalProperties: true,
    description:
      'RFC 9457. In addition to the listed problems, every URL may answer 404 `not_found`, 405 `method_not_allowed`, 408 ' +
      '`request_timeout`, 429 `too_many_requests` and 431 `headers_too_large`, and a file 416 `range_not_satisfiable`.',
  },
);

/** Creates the schema of a problem's body with one of these codes. */
export function createProblemSchema(codes: readonly ProblemCode[]) {
  const one = Type.Object({ code: Type.Enum([...codes]) });
  return Type.Intersect([Problem, one], { examples: codes.map(createExample) });
}

const createExample = (code: ProblemCode): unknown => {
  const { when, members }: About = PROBLEMS[code];
  return JSON.parse(formatProblem(code, when, members));
};

/** Formats the body of a problem as JSON text. */
export function formatProblem(code: ProblemCode, detail: string, members?: object): string {
  const { status } = PROBLEMS[code];
  const title = STATUS_CODES[status] ?? 'Error';
  return JSON.stringify({ type: 'about:blank', title, status, code, detail, ...members });
}

/** The media type of problems (RFC 9457 §3). */
export const PROBLEM_TYPE = 'application/problem+json';

/**
 * Sends a problem.
 * @param members the additional members of the body
 */
export function sendProblem(
  reply: FastifyReply,
  code: ProblemCode,
  detail: string,
  members?: object,
): FastifyReply {
  const about: About = PROBLEMS[code];
  if (about.retryAfter !== undefined) reply.header('Retry-After', String(about.retryAfter));
  reply.problem = code;
  return reply
    .code(about.status)
    .type(PROBLEM_TYPE)
    .send(formatProblem(code, detail, members));
}

/**
 * Writes a problem as the last response of a connection, for a request that is not routed.
 * @param id the id of the request
 */
export function writeProblem(response: ServerResponse, code: ProblemCode, id: string): void {
  const { status, when, retryAfter }: About = PROBLEMS[code];
  if (retryAfter !== undefined) response.setHeader('Retry-After', String(retryAfter));
  response.setHeader('X-Request-Id', id).setHeader('Connection', 'close');
  const body = formatProblem(code, when);
  const length = Buffer.byteLength(body);
  response.writeHead(status, { 'Content-Type': PROBLEM_TYPE, 'Content-Length': length }).end(body);
}

/** Sends the problem that the fleet has not been read. */
export function sendNotReady(reply: FastifyReply): FastifyReply {
  return sendProblem(reply, 'not_ready', PROBLEMS.not_ready.when);
}

/** Sends the problem that there is no VM of the requested hostname. */
export function sendVmNotFound(reply: FastifyReply): FastifyReply {
  return sendProblem(reply, 'vm_not_found', 'There is no VM of this hostname.');
}
