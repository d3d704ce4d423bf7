// Every failure over HTTP is a problem (RFC 9457) with a stable `code` that programs compare. All codes stand here, each
// with its one status.

import { STATUS_CODES } from 'node:http';
import type { FastifyReply } from 'fastify';
import { Type } from 'typebox';

declare module 'fastify' {
  interface FastifyReply {
    /** The code of the problem that was answered; null when none was. */
    problem: string | null;
  }
}

interface About {
  readonly status: number;
  /** When it is answered, for the document. */
  readonly when: string;
  /** In seconds: it is worth coming back so soon. */
  readonly retryAfter?: number;
  /** What it adds to the body, by example. */
  readonly members?: object;
}

export const PROBLEMS = {
  invalid_request: { status: 400, when: 'A parameter, the body or its JSON is not as documented.' },
  invalid_hostname: {
    status: 400,
    when: 'A hostname has 1 to 255 characters, and no NUL among them.',
  },
  invalid_cursor: { status: 400, when: '`cursor` or `after` is not one that the gateway gave.' },
  unknown_status: {
    status: 400,
    when: 'No such status; `allowed` lists those there are.',
    members: { allowed: ['available', 'in-use', 'failed'] },
  },
  contradictory_change: { status: 400, when: 'What is asked for does not go together.' },
  token_missing: { status: 401, when: 'There is no bearer token.' },
  token_invalid: { status: 401, when: 'The token is none that this gateway accepts.' },
  token_expired: { status: 401, when: 'The token was good, and is no longer.' },
  token_not_yet_valid: { status: 401, when: 'The token will be good, and is not yet.' },
  origin_not_allowed: { status: 403, when: 'An upgrade from a page of another site.' },
  not_allowed: { status: 403, when: 'The role of the token may not do this here.' },
  not_found: { status: 404, when: 'There is nothing at this URL.' },
  vm_not_found: { status: 404, when: 'There is no VM of this hostname.' },
  assignment_not_found: {
    status: 404,
    when: 'This assignment is not, or no longer, current; to report its end: never was the agent’s.',
  },
  not_enrolled: { status: 404, when: 'This hostname has not enrolled.' },
  method_not_allowed: { status: 405, when: 'The URL knows other methods: see `Allow`.' },
  request_timeout: { status: 408, when: 'The request did not arrive in time.' },
  no_vm_available: {
    status: 409,
    when: 'No VM is free; `counts` has how many are of each status.',
    members: { counts: { failed: 1, 'in-use': 11 } },
  },
  assigned_to_another: {
    status: 409,
    when: 'Another person has the VM, and `reassign` was not asked for.',
  },
  vm_not_in_use: {
    status: 409,
    when: 'A VM that is not in use has no person or command to change.',
  },
  already_enrolled: {
    status: 409,
    when: 'This hostname has enrolled, with another `nonce` or none; an admin may allow it again.',
  },
  agent_online: { status: 409, when: 'An agent of this hostname is online, and has not enrolled.' },
  wrong_count: {
    status: 409,
    when: 'There are not as many VMs as `confirm` says; `count` has how many.',
    members: { count: 12 },
  },
  version_mismatch: {
    status: 412,
    when: 'The row is not the one in `If-Match`; `version` has its own.',
    members: { version: 18 },
  },
  body_too_large: { status: 413, when: 'The body is larger than 64 KiB.' },
  uri_too_long: { status: 414, when: 'A part of the URL is too long.' },
  unsupported_media_type: { status: 415, when: 'A body is JSON, and says so.' },
  too_many_sockets_of_identity: {
    status: 429,
    when: "Too many sockets and waits of the token's role and `sub`.",
    retryAfter: 5,
  },
  too_many_sockets_of_address: {
    status: 429,
    when: 'Too many sockets and waits of this address.',
    retryAfter: 5,
  },
  rate_limited: {
    status: 429,
    when: 'The token has asked too often; `Retry-After` says when again.',
  },
  headers_too_large: { status: 431, when: 'The headers take more than 16 KiB.' },
  internal_error: { status: 500, when: 'A defect of the gateway; its log says more.' },
  cannot_sign: { status: 501, when: 'This gateway signs no tokens: `JWT_SECRET` is not set.' },
  too_many_sockets: {
    status: 503,
    when: 'There is no room for another socket or wait.',
    retryAfter: 5,
  },
  not_ready: { status: 503, when: 'The gateway does not know the table yet.', retryAfter: 1 },
  draining: { status: 503, when: 'The gateway is about to end.', retryAfter: 1 },
  database_unavailable: { status: 503, when: 'The database does not answer.', retryAfter: 1 },
  database_busy: {
    status: 503,
    when: 'Others held what was asked for too long; nothing was changed.',
    retryAfter: 1,
  },
} as const satisfies Record<string, About>;
export type ProblemCode = keyof typeof PROBLEMS;
export const PROBLEM_CODES = Object.keys(PROBLEMS) as ProblemCode[];

/** The body of an answer with one of these codes. Some codes add members, as the table says. */
export function createProblemSchema(codes: readonly ProblemCode[]) {
  return Type.Object(
    {
      type: Type.Literal('about:blank'),
      title: Type.String({ description: 'The status in words.' }),
      status: Type.Integer(),
      code: Type.Enum([...codes], { description: 'Stable; programs compare it.' }),
      detail: Type.String({ description: 'For people.' }),
    },
    { additionalProperties: true, examples: codes.map(createExample) },
  );
}

const createExample = (code: ProblemCode): unknown => {
  const { when, members }: About = PROBLEMS[code];
  return JSON.parse(formatProblem(code, when, members));
};

/** The body of a problem, as text. */
export function formatProblem(code: ProblemCode, detail: string, members?: object): string {
  const { status } = PROBLEMS[code];
  const title = STATUS_CODES[status] ?? 'Error';
  return JSON.stringify({ type: 'about:blank', title, status, code, detail, ...members });
}

export const PROBLEM_TYPE = 'application/problem+json';

/**
 * Answers with a problem.
 * @param members what this code adds to the body
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

export function sendVmNotFound(reply: FastifyReply): FastifyReply {
  return sendProblem(reply, 'vm_not_found', 'There is no VM of this hostname.');
}
