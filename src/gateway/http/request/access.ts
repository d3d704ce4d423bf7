// Authorizes requests and upgrades: verifies the token and then checks the table of roles, before
// anything else.

import type { FastifyReply, FastifyRequest } from 'fastify';
import { readToken } from '../../auth/credentials.js';
import { can, type Permission } from '../../auth/roles.js';
import type { Identity, TokenFault, Verifier } from '../../auth/token.js';
import type { Actor } from '../../database/transaction.js';
import { decodeHostnameSegment } from '../../../protocol/paths.js';
import { sendProblem } from '../problems/problem.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** The identity of the client; null before the request is authorized. */
    identity: Identity | null;
  }
}

/**
 * Returns the identity of an authorized request.
 * @throws Error for a route without authorization, which is a bug
 */
export function requireIdentity(request: FastifyRequest): Identity {
  if (request.identity === null) throw new Error('a route without an access check');
  return request.identity;
}

/** Returns the actor of this request's changes, for the audit. */
export function readActor(request: FastifyRequest): Actor {
  const { role, sub } = requireIdentity(request);
  return { name: `${role}:${sub}`, requestId: request.id };
}

/** Reads the hostname in the URL; '' for a route without `:hostname`, which no VM has. */
export function readHostname(request: FastifyRequest): string {
  return findHostname(request) ?? '';
}

function findHostname({ params }: FastifyRequest): string | undefined {
  if (typeof params !== 'object' || params === null || !('hostname' in params)) return undefined;
  return typeof params.hostname === 'string' ? decodeHostnameSegment(params.hostname) : undefined;
}

/**
 * A hook that rejects hostnames with NUL, which PostgreSQL cannot store; a query with it would
 * fail.
 */
export async function checkHostname(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  if (!readHostname(request).includes('\0')) return;
  await sendProblem(reply, 'invalid_hostname', 'A hostname must not contain NUL.');
}

/** Creates the hook of a route that requires this permission. */
export type Authorize = (
  action: Permission,
) => (request: FastifyRequest, reply: FastifyReply) => Promise<void>;

/**
 * Counts one request against the rate limit of its `identity`; rejects if the limit is exceeded.
 */
export type CountRequest = (request: FastifyRequest, reply: FastifyReply) => Promise<void>;

/**
 * Creates the hooks that authorize requests: 401 without a valid token, 403 without the permission.
 * @param count called for every request with a valid token
 */
export function createAuthorize(verify: Verifier, count: CountRequest): Authorize {
  return (action) => async (request, reply) => {
    const token = readToken(request.headers);
    if (token === undefined) {
      setChallenge(reply);
      await sendProblem(reply, 'token_missing', 'A bearer token is required.');
      return;
    }
    const verified = verify(token);
    if (!verified.ok) {
      await rejectToken(reply, verified.reason);
      return;
    }
    request.identity = verified.identity;
    await count(request, reply);
    if (can(verified.identity, action, findHostname(request))) return;
    setChallenge(reply, 'insufficient_scope');
    const detail = `The role ${verified.identity.role} does not permit this request.`;
    await sendProblem(reply, 'not_allowed', detail);
  };
}

/**
 * Rejects a request that has waited, if its token has ended or was revoked meanwhile.
 * @returns whether it was rejected
 */
export async function rejectEndedToken(
  verify: Verifier,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<boolean> {
  const verified = verify(readToken(request.headers) ?? '');
  if (!verified.ok) await rejectToken(reply, verified.reason);
  return !verified.ok;
}

const FAULTS: Readonly<Record<Exclude<TokenFault, 'revocations_unread'>, string>> = {
  expired: 'The token has expired.',
  not_yet_valid: 'The token is not valid yet.',
  invalid: 'The token is not valid.',
  revoked: 'The token was revoked.',
};

async function rejectToken(reply: FastifyReply, fault: TokenFault): Promise<void> {
  if (fault === 'revocations_unread') {
    await sendProblem(reply, 'not_ready', 'The gateway has not read the revoked tokens yet.');
    return;
  }
  setChallenge(reply, 'invalid_token');
  await sendProblem(reply, `token_${fault}`, FAULTS[fault]);
}

/**
 * Sets the challenge for a bearer token (RFC 6750 §3). It has an error only if the request has a
 * token.
 */
function setChallenge(reply: FastifyReply, error?: 'invalid_token' | 'insufficient_scope'): void {
  const realm = 'Bearer realm="lablink-gateway"';
  reply.header('WWW-Authenticate', error === undefined ? realm : `${realm}, error="${error}"`);
}
